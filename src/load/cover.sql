update smartassist_sync.accounts as account
set coverage = account.coverage + tstzmultirange(tstzrange($4, $5)),
    watermark = smartassist_sync.watermark_of(
        account.coverage + tstzmultirange(tstzrange($4, $5)), account.start_from
    ),
    updated_at = clock_timestamp()
from fence
where account.account_id = fence.account_id
returning account.watermark
