-- Next contacts that differ from what is stored: of customers ($2) since an instant ($3), and of the one before each. New
-- contacts ($4 to $7) are not stored yet. What is stored is read apart, since a distributed database joins it with nothing.
with stored as materialized (
    select interaction_key, contact_key, session_started_at, channel, next_at, next_channel
    from smartassist.fact_interactions
    where contact_key = any($2) and destination_count > 0 and conversations = 1
      and account_id = $1 and (next_at >= $3 or next_at is null)
),
ordered as (
    select
        contact.interaction_key,
        contact.next_at as stored_at,
        contact.next_channel as stored_channel,
        lead(contact.session_started_at) over following as next_at,
        lead(contact.channel) over following as next_channel
    from (
        table stored
        union all
        select new.*, null, null
        from unnest($4::uuid[], $5::uuid[], $6::timestamptz[], $7::text[]) as new
    ) as contact
    window following as (partition by contact.contact_key order by contact.session_started_at, contact.interaction_key)
)
select interaction_key, next_at, next_channel
from ordered
where (next_at, next_channel) is distinct from (stored_at, stored_channel)
