-- At most $3 records, and no more than $4 bytes beyond the first. The hash is looked up row by row: a plan that joins would read all of the
-- sessions for each batch.
select portion.interaction_id, portion.payload::text as payload, portion.time_zone_offset, portion.fetched_at, portion.content_hash,
       portion.warnings
from (
    select batch.*, sum(pg_column_size(batch.payload)) over (order by batch.interaction_id) as bytes,
           row_number() over (order by batch.interaction_id) as place
    from (
        select raw.interaction_id, raw.payload, raw.time_zone_offset, raw.fetched_at,
               (
                   select session.content_hash
                   from smartassist.sessions as session
                   where session.account_id = raw.account_id and session.interaction_id = raw.interaction_id
               ) as content_hash,
               (
                   select session.warnings
                   from smartassist.sessions as session
                   where session.account_id = raw.account_id and session.interaction_id = raw.interaction_id
               ) as warnings
        from smartassist.raw_interactions as raw
        where raw.account_id = $1 and raw.interaction_id > $2
        order by raw.account_id, raw.interaction_id
        limit $3
    ) as batch
) as portion
where portion.place = 1 or portion.bytes <= $4
order by portion.interaction_id
