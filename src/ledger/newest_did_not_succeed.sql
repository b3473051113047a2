-- Older than eight days, a failed refresh is shown no longer and a refetch is not gone on with.
select status <> 'succeeded'
from smartassist_sync.runs
where account_id = $1
    and kind = $2
    and policy is not distinct from $3
    and (policy is not null or range is not distinct from $4)
    and status <> 'running'
    and started_at > $5 - interval '8 days'
order by id desc
limit 1
