insert into smartassist_sync.rejected_records
    (account_id, range, time_zone_offset, first_seen_at, last_seen_at, reason, payload, payload_hash)
select $1::text, $2::tstzrange, $3::integer, $4::timestamptz, $4::timestamptz, r.reason, r.payload, r.payload_hash
from unnest($5::text[], $6::text[], $7::bytea[]) as r(reason, payload, payload_hash)
on conflict (account_id, payload_hash) do update set
    range = excluded.range,
    time_zone_offset = excluded.time_zone_offset,
    last_seen_at = excluded.last_seen_at,
    times_seen = rejected_records.times_seen + 1,
    reason = excluded.reason,
    resolved_at = null
