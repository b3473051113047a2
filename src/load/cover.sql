with fence as (
    select account_id
    from smartassist_sync.leases
    where account_id = $1 and token = $2 and expires_at > clock_timestamp()
    for share
)
update smartassist_sync.accounts as account
set coverage = account.coverage + tstzmultirange(tstzrange($3, $4)),
    watermark = smartassist_sync.watermark_of(
        account.coverage + tstzmultirange(tstzrange($3, $4)), account.start_from
    ),
    updated_at = clock_timestamp()
from fence
where account.account_id = fence.account_id
returning account.watermark
