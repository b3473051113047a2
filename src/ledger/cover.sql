-- What started at least $7 seconds before the window began ($6) has now been read late enough to be settled. By this server's clock, should the
-- worker's be ahead. Settled is never more than covered: a worker of an earlier version uncovers what it does not know to be settled.
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
            + tstzmultirange(
                tstzrange($4, $5)
                * tstzrange(null, date_trunc('second', least($6, clock_timestamp()) - make_interval(secs => $7::bigint)))
            )
        ) * covered.coverage as settled
) as grown
where account.account_id = fence.account_id
returning account.watermark
