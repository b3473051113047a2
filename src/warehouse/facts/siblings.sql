-- The other records of the conversations of these interactions, of conversations of up to twenty: an id of more is a constant.
select distinct sibling.interaction_key
from (
    select distinct conversation_id
    from smartassist.sessions
    where interaction_key = any($2) and conversation_id is not null
) as named
cross join lateral (
    select array_agg(found.interaction_key) as keys
    from (
        select session.interaction_key
        from smartassist.sessions as session
        where session.account_id = $1 and session.conversation_id = named.conversation_id
        limit $3 + 1
    ) as found
) as conversation
cross join lateral unnest(conversation.keys) as sibling (interaction_key)
where cardinality(conversation.keys) between 2 and $3
