-- The window is taken out of every request that it serves. What started at least $7 seconds before it began,
-- by the slower of both clocks ($6 and $9), is settled now; settled is never more than covered.
, served as (
    update smartassist_sync.requests as request
    set remaining = request.remaining - tstzmultirange(tstzrange($4, $5)), progress_at = clock_timestamp()
    from fence
    where request.account_id = fence.account_id and request.state = 'open' and request.purpose <> 'verify'
        and request.since <= $6 and request.rules <= $8 and request.remaining && tstzrange($4, $5)
)
update smartassist_sync.accounts as account
set coverage = grown.coverage,
    watermark = smartassist_sync.watermark_of(grown.coverage, account.start_from),
    settled = grown.settled,
    settled_through = smartassist_sync.watermark_of(grown.settled, account.start_from),
    updated_at = clock_timestamp()
from fence
join smartassist_sync.accounts as before on before.account_id = fence.account_id
cross join lateral (
    select before.coverage + tstzmultirange(tstzrange($4, $5)) as coverage
) as covered
cross join lateral (
    select
        covered.coverage,
        (
            before.settled
            + tstzmultirange(tstzrange($4, $5) * tstzrange(null, date_trunc('second', least($6, $9) - make_interval(secs => $7::bigint))))
        ) * covered.coverage as settled
) as grown
where account.account_id = fence.account_id
returning account.watermark
