-- $4: from when the API serves interactions; NULL if it serves all (greatest() ignores NULL). A row without
-- wanted_from is of an older version.
update smartassist_sync.accounts as account
set served_from = $4,
    served_from_tried_at = clock_timestamp(),
    wanted_from = wanted.since,
    start_from = greatest(wanted.since, $4),
    watermark = smartassist_sync.watermark_of(account.coverage, greatest(wanted.since, $4)),
    settled_through = smartassist_sync.watermark_of(account.settled, greatest(wanted.since, $4)),
    updated_at = clock_timestamp()
from fence
join smartassist_sync.accounts as before on before.account_id = fence.account_id
cross join lateral (select coalesce(before.wanted_from, before.start_from) as since) as wanted
where account.account_id = fence.account_id
returning account.account_id
