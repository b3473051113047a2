-- The window is taken out of every request that it serves. What started at least $7 seconds before it began,
-- by the slower of both clocks ($6 and $9), is settled now.
, served as (
    update smartassist_sync.requests as request
    set remaining = request.remaining - tstzmultirange(tstzrange($4, $5)), progress_at = clock_timestamp()
    from fence
    where request.account_id = fence.account_id and request.state = 'open' and request.purpose <> 'verify'
        and request.since <= $6 and request.rules <= $8 and request.remaining && tstzrange($4, $5)
)
update smartassist_sync.accounts as account
set coverage = account.coverage + stretch.covered,
    settled = account.settled + stretch.settled,
    updated_at = clock_timestamp()
from fence
cross join lateral (
    select
        tstzmultirange(tstzrange($4, $5)) as covered,
        tstzmultirange(tstzrange($4, $5) * tstzrange(null, date_trunc('second', least($6, $9) - make_interval(secs => $7::bigint)))) as settled
) as stretch
where account.account_id = fence.account_id
returning account.watermark
