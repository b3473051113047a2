with seen as (
    select path, json_type, times
    from unnest($4::text[], $5::text[], $6::bigint[]) as s(path, json_type, times)
    -- A longer path does not fit the key.
    where octet_length(path) <= 512
),
known as (
    update smartassist_sync.schema_drift as drift
    set last_seen_at = greatest(drift.last_seen_at, $2), times_seen = drift.times_seen + seen.times
    from seen
    where drift.account_id = $1 and drift.path = seen.path and drift.json_type = seen.json_type
    returning drift.path, drift.json_type
)
insert into smartassist_sync.schema_drift (account_id, path, json_type, first_seen_at, last_seen_at, times_seen)
select $1, seen.path, seen.json_type, $2, $2, seen.times
from seen
where not exists (select from known where known.path = seen.path and known.json_type = seen.json_type)
order by seen.path, seen.json_type
limit greatest($3 - (select count(*) from smartassist_sync.schema_drift where account_id = $1), 0)
returning path, json_type
