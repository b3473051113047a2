-- Older than eight days, a failed refresh is shown no longer and a refetch is not gone on with.
select status <> 'succeeded'
from smartassist_sync.runs
where account_id = $1
    and kind = $2
    and (range is not distinct from $3 or (kind = 'refresh' and upper(range) - lower(range) = upper($3::tstzrange) - lower($3::tstzrange)))
    and status <> 'running'
    and started_at > $4 - interval '8 days'
order by id desc
limit 1
