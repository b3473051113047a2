-- How many interactions the windows of the last day, and the one from $3 to $4, judged: each once, $5 at most. Counted among the rows by the ranges of
-- the ledger, so that nothing has to be written for each row that is judged.
with read as (
    select
        coalesce(range_agg(fetched.range), '{}') + tstzmultirange(tstzrange($3, $4)) as ranges,
        coalesce(sum(fetched.marked), 0)::bigint as marked
    from smartassist_sync.windows as fetched
    where fetched.account_id = $1
        and fetched.status = 'drained' and fetched.judged > 0 and fetched.started_at > $2 - interval '1 day'
)
select
    (
        select count(*)
        from (
            select
            from unnest((select read.ranges from read)) as stretch
            join smartassist.sessions as session
                on session.session_started_at >= lower(stretch) and session.session_started_at < upper(stretch)
            where session.account_id = $1
                and session.missing_since is null
                and session.first_seen_at >= coalesce(
                    (select account.filters_changed_at from smartassist_sync.accounts as account where account.account_id = $1),
                    '-infinity'
                )
            limit $5
        ) as judged
    ) + read.marked
from read
