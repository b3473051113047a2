-- Stretches judged in the last day, and how many interactions were marked as some of few.
select
    (select coalesce(array_agg(lower(stretch) order by stretch), '{}') from unnest(read.ranges) as stretch),
    (select coalesce(array_agg(upper(stretch) order by stretch), '{}') from unnest(read.ranges) as stretch),
    (select count(*) from smartassist_sync.absences as absence where absence.account_id = $1 and absence.marked_at is not null)
from (
    select coalesce(range_agg(fetched.range), '{}') as ranges
    from smartassist_sync.windows as fetched
    where fetched.account_id = $1
        and fetched.status = 'drained' and fetched.judged > 0 and fetched.started_at > $2 - interval '1 day'
) as read
