-- greatest() ignores NULL: $7 is NULL if everything is kept, served_from if everything is served. Coverage
-- means "read with these filters": with others it starts again, and so do missed sessions. Filters '{}' are
-- of a row that nothing was read with yet.
with before as (
    select account_id, filters from smartassist_sync.accounts where account_id = $1
),
forgotten as (
    delete from smartassist_sync.absences as absence
    using before
    where absence.account_id = before.account_id and before.filters <> $3::jsonb
),
-- What is still asked for is read again too.
asked_again as (
    update smartassist_sync.requests as request
    set remaining = case when request.purpose = 'verify' then request.remaining else request.range end,
        filters_digest = sha256(convert_to($3::jsonb::text, 'UTF8'))
    from before
    where request.account_id = before.account_id and request.state = 'open' and before.filters <> $3::jsonb
)
insert into smartassist_sync.accounts as account (account_id, name, filters, wanted_from, start_from)
select $1, $2, $3::jsonb, wanted.since, wanted.since
from (select greatest(coalesce($4::timestamptz, $5), $7) as since) as wanted
on conflict (account_id, stream) do update set
    name = excluded.name,
    filters = excluded.filters,
    filters_changed_at = case
        when account.filters in (excluded.filters, '{}') then account.filters_changed_at else least($6, clock_timestamp())
    end,
    wanted_from = greatest(coalesce($4, account.wanted_from, account.start_from), $7),
    start_from = greatest(coalesce($4, account.wanted_from, account.start_from), $7, account.served_from),
    coverage = case when account.filters = excluded.filters then account.coverage else '{}' end,
    settled = case when account.filters = excluded.filters then account.settled else '{}' end,
    updated_at = clock_timestamp()
returning coalesce((select before.filters <> $3::jsonb from before), false) as coverage_began_anew
