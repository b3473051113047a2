-- In key order, against deadlocks. A start in the future (a wrong clock) belongs to the first class.
insert into smartassist_sync.changes_by_age as counted (account_id, age_from_seconds, reread, changed)
select $1, bounds.list[greatest(width_bucket(reread.age, bounds.list), 1)] as age_from_seconds,
       count(*), count(*) filter (where reread.changed)
from unnest($2::bigint[], $3::boolean[], $4::timestamptz[]) as reread(age, changed, last_changed_at)
cross join (select smartassist_sync.age_bounds()::bigint[] as list) as bounds
where reread.last_changed_at < (select run.started_at from smartassist_sync.runs as run where run.id = $5)
group by 2
order by 2
on conflict (account_id, stream, age_from_seconds) do update set
    reread = counted.reread + excluded.reread,
    changed = counted.changed + excluded.changed,
    updated_at = clock_timestamp()
