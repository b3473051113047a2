-- In the order of the key, so that two transactions cannot wait for each other. A start in the future (a clock that is off) is of the first class.
insert into smartassist_sync.changes_by_age as counted (account_id, age_from_seconds, reread, changed)
select $1, bounds.list[greatest(width_bucket(reread.age, bounds.list), 1)] as age_from_seconds,
       count(*), count(*) filter (where reread.changed)
from unnest($2::bigint[], $3::boolean[]) as reread(age, changed)
cross join (select smartassist_sync.age_bounds()::bigint[] as list) as bounds
group by 2
order by 2
on conflict (account_id, age_from_seconds) do update set
    reread = counted.reread + excluded.reread,
    changed = counted.changed + excluded.changed,
    updated_at = clock_timestamp()
