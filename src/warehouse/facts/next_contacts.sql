-- Next contacts that differ from what is stored: of contacts that came, went or moved ($2, since $3), and of
-- the one before each.
with ordered as (
    select
        contact.interaction_key,
        contact.next_at as stored_at,
        contact.next_channel as stored_channel,
        lead(contact.session_started_at) over following as next_at,
        lead(contact.channel) over following as next_channel
    from smartassist.fact_interactions as contact
    where contact.contact_key = any($2) and contact.destination_count > 0 and contact.conversations = 1
      and contact.account_id = $1 and (contact.next_at >= $3 or contact.next_at is null)
    window following as (partition by contact.contact_key order by contact.session_started_at, contact.interaction_key)
)
select interaction_key, next_at, next_channel
from ordered
where (next_at, next_channel) is distinct from (stored_at, stored_channel)
