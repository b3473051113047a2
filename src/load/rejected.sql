insert into smartassist_sync.rejected_records
    (account_id, range, time_zone_offset, first_seen_at, last_seen_at, interaction_id, reason, payload, payload_hash)
select $1::text, $2::tstzrange, $3::integer, $4::timestamptz, $4::timestamptz, r.interaction_id, r.reason, r.payload, r.payload_hash
from unnest($5::text[], $6::text[], $7::text[], $8::bytea[]) as r(interaction_id, reason, payload, payload_hash)
on conflict (account_id, payload_hash) do update set
    range = excluded.range,
    time_zone_offset = excluded.time_zone_offset,
    last_seen_at = excluded.last_seen_at,
    times_seen = rejected_records.times_seen + 1,
    interaction_id = excluded.interaction_id,
    reason = excluded.reason,
    resolved_at = null
