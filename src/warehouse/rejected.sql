-- New records are kept up to the day's bounds in number ($10) and bytes ($11); in hash order, so that storing
-- the window again keeps the same ones.
with seen as (
    select r.interaction_key, r.reason, r.payload, r.payload_hash, r.record_bytes, known.id is null as is_new
    from unnest($5::uuid[], $6::text[], $7::text[], $8::bytea[], $9::bigint[])
        as r (interaction_key, reason, payload, payload_hash, record_bytes)
    left join smartassist_sync.rejected_records as known
        on known.account_id = $1::text and known.payload_hash = r.payload_hash
),
today as (
    select coalesce(sum(kept), 0) as kept, coalesce(sum(kept_bytes), 0) as kept_bytes
    from smartassist_sync.rejections_by_day
    where account_id = $1::text and day = ($4::timestamptz at time zone 'UTC')::date
),
placed as (
    select
        seen.*,
        not seen.is_new or (
            today.kept + count(*) filter (where seen.is_new) over running <= $10::bigint
            and today.kept_bytes + sum(octet_length(seen.payload)) filter (where seen.is_new) over running <= $11::bigint
        ) as is_kept
    from seen
    cross join today
    window running as (order by seen.payload_hash)
),
counted as (
    insert into smartassist_sync.rejections_by_day as by_day (account_id, day, kept, kept_bytes, counted_alone)
    select
        $1::text,
        ($4::timestamptz at time zone 'UTC')::date,
        count(*) filter (where is_new and is_kept),
        coalesce(sum(octet_length(payload)) filter (where is_new and is_kept), 0),
        count(*) filter (where not is_kept)
    from placed
    having count(*) filter (where is_new) > 0
    on conflict (account_id, stream, day) do update set
        kept = by_day.kept + excluded.kept,
        kept_bytes = by_day.kept_bytes + excluded.kept_bytes,
        counted_alone = by_day.counted_alone + excluded.counted_alone
),
written as (
    insert into smartassist_sync.rejected_records (
        account_id, range, time_zone_offset, first_seen_at, last_seen_at, interaction_key, reason, payload, payload_hash, record_bytes
    )
    select
        $1::text, $2::tstzrange, $3::integer, $4::timestamptz, $4::timestamptz, interaction_key, reason, payload, payload_hash, record_bytes
    from placed
    where is_kept
    on conflict (account_id, stream, payload_hash) do update set
        range = excluded.range,
        time_zone_offset = excluded.time_zone_offset,
        last_seen_at = excluded.last_seen_at,
        times_seen = rejected_records.times_seen + 1,
        interaction_key = excluded.interaction_key,
        reason = excluded.reason,
        record_bytes = excluded.record_bytes,
        resolved_at = null
    returning 1
)
select (select count(*) from written), (select count(*) from placed where not is_kept)
