-- $4: from when the API serves interactions; NULL if it serves all (greatest() ignores NULL). The edge is known to a
-- minute and moves on, never back. A row without wanted_from is of an older version.
update smartassist_sync.accounts as account
set served_from = edge.served_from,
    served_from_tried_at = clock_timestamp(),
    wanted_from = wanted.since,
    start_from = greatest(wanted.since, edge.served_from),
    updated_at = clock_timestamp()
from fence
join smartassist_sync.accounts as before on before.account_id = fence.account_id
cross join lateral (select coalesce(before.wanted_from, before.start_from) as since) as wanted
cross join lateral (select case when $4 is not null then greatest(before.served_from, $4) end as served_from) as edge
where account.account_id = fence.account_id
returning account.account_id
