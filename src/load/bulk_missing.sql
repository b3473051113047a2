-- What is missing as a whole: what is noted (of two weeks at most, since what no refresh reaches any more is noted for ever), what is withheld,
-- and what was marked as one of few in the last day, or many could go one by one.
select
    (
        select count(*)
        from smartassist_sync.absences as absence
        where absence.account_id = $1
            and (absence.first_missed_at > $2 - interval '15 days' or absence.withheld_since is not null)
    )
    + (
        select coalesce(sum(fetched.marked), 0)::bigint
        from smartassist_sync.windows as fetched
        where fetched.account_id = $1 and fetched.status = 'drained' and fetched.started_at > $2 - interval '1 day'
    )
