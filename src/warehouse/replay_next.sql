-- At most $3 records, and $4 bytes beyond the first. Looked up row by row: a join would read all sessions for each batch.
select portion.interaction_key, portion.payload::text as payload, portion.time_zone_offset, portion.fetched_at, portion.content_hash
from (
    select batch.*, sum(pg_column_size(batch.payload)) over (order by batch.interaction_key) as bytes,
           row_number() over (order by batch.interaction_key) as place
    from (
        select raw.interaction_key, raw.payload, raw.time_zone_offset, raw.fetched_at,
               session.content_hash
        from smartassist.raw_interactions as raw
        cross join lateral (
            select of_raw.content_hash
            from smartassist.sessions as of_raw
            where of_raw.interaction_key = raw.interaction_key and of_raw.account_id = $1
            limit 1
        ) as session
        where raw.interaction_key > $2
        order by raw.interaction_key
        limit $3
    ) as batch
) as portion
where portion.place = 1 or portion.bytes <= $4
order by portion.interaction_key
