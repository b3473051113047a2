-- Stored records of conversations, and how many were read: at most $3, as a constant may be in every row.
with found as materialized (
    select conversation_id, interaction_key
    from smartassist.sessions
    where account_id = $1 and conversation_id = any($2)
    limit $3
)
select conversation_id, array_agg(interaction_key), (select count(*) from found)
from found
group by conversation_id
