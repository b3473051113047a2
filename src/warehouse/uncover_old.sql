update smartassist_sync.accounts as account
set coverage = kept.coverage,
    wanted_from = greatest(account.wanted_from, $2),
    start_from = kept.start_from,
    watermark = smartassist_sync.watermark_of(kept.coverage, kept.start_from),
    settled = kept.settled,
    settled_through = smartassist_sync.watermark_of(kept.settled, kept.start_from),
    updated_at = clock_timestamp()
from (
    select
        account_id,
        coverage - tstzmultirange(tstzrange(null, $2)) as coverage,
        settled * coverage - tstzmultirange(tstzrange(null, $2)) as settled,
        greatest(start_from, $2) as start_from
    from smartassist_sync.accounts
) as kept
where account.account_id = $1 and kept.account_id = account.account_id and lower(account.coverage) < $2
