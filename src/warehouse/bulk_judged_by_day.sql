-- How many interactions the windows of the last day, and the one from $3 to $4, judged, where so many are missing that the edges of days make no
-- difference.
with read as (
    select coalesce(range_agg(fetched.range), '{}') + tstzmultirange(tstzrange($3, $4)) as ranges
    from smartassist_sync.windows as fetched
    where fetched.account_id = $1
        and fetched.status = 'drained' and fetched.judged > 0 and fetched.started_at > $2 - interval '1 day'
)
select coalesce(sum(counted.interactions), 0)::bigint
from smartassist_sync.interactions_by_day as counted
join read on read.ranges && tstzrange(counted.day::timestamp at time zone 'UTC', (counted.day + 1)::timestamp at time zone 'UTC')
where counted.account_id = $1
