with entry as (
    select id, account_id, times_seen, first_seen_at, last_seen_at, resolved_at
    from smartassist_sync.rejected_records
    -- Another replay may have ruled it meanwhile.
    where id = $1 and payload = $5
),
same as (
    update smartassist_sync.rejected_records as other
    set times_seen = other.times_seen + entry.times_seen,
        first_seen_at = least(other.first_seen_at, entry.first_seen_at),
        last_seen_at = greatest(other.last_seen_at, entry.last_seen_at),
        -- Unresolved if either is.
        resolved_at = case when entry.resolved_at is not null then other.resolved_at end
    from entry
    where other.account_id = entry.account_id and other.payload_hash = $2 and other.id <> entry.id
    returning other.id
),
merged as (
    delete from smartassist_sync.rejected_records as doubled
    using entry
    where doubled.id = entry.id and exists (select from same)
)
update smartassist_sync.rejected_records as ruled
set payload = $3, payload_hash = $2, reason = $4
from entry
where ruled.id = entry.id and not exists (select from same)
