-- An attempt may be several runs, each going on where the one before was stopped: they have the same read_since. Its age is that of its last window,
-- in the database's time.
with newest as (
    select status, read_since, tried_all
    from smartassist_sync.runs
    where account_id = $1 and kind = $2 and range = $3
    order by id desc
    limit 1
)
select newest.read_since
from newest
where newest.status <> 'succeeded' and not newest.tried_all and exists (
    select
    from smartassist_sync.runs as run
    join smartassist_sync.windows as fetched on fetched.run_id = run.id
    where run.account_id = $1 and run.kind = $2 and run.range = $3
        and run.read_since = newest.read_since
        and fetched.finished_at > clock_timestamp() - interval '7 days'
)
