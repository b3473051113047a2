-- $4: from when on the API serves interactions; NULL where it serves all (greatest() takes no notice of NULL).
update smartassist_sync.accounts as account
set served_from = $4,
    served_from_tried_at = clock_timestamp(),
    start_from = greatest(account.start_from, $4),
    watermark = smartassist_sync.watermark_of(account.coverage, greatest(account.start_from, $4)),
    updated_at = clock_timestamp()
from fence
where account.account_id = fence.account_id
returning account.watermark
