-- In key order, against deadlocks.
insert into smartassist_sync.interactions_by_day as counted (account_id, day, interactions)
select $1, changed.day, changed.change
from unnest($2::date[], $3::bigint[]) as changed (day, change)
order by changed.day
on conflict (account_id, stream, day) do update set interactions = counted.interactions + excluded.interactions
