-- The stretches that windows of the last day, and the one from $3 to $4, judged, and how many interactions were marked in them.
with read as (
    select
        coalesce(range_agg(fetched.range), '{}') + tstzmultirange(tstzrange($3, $4)) as ranges,
        coalesce(sum(fetched.marked), 0)::bigint as marked
    from smartassist_sync.windows as fetched
    where fetched.account_id = $1
        and fetched.status = 'drained' and fetched.judged > 0 and fetched.started_at > $2 - interval '1 day'
)
select
    (select array_agg(lower(stretch) order by stretch) from unnest(read.ranges) as stretch),
    (select array_agg(upper(stretch) order by stretch) from unnest(read.ranges) as stretch),
    read.marked
from read
