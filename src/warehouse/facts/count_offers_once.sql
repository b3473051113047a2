-- As for stays: the same offer counts in the record that began last.
delete from smartassist.fact_agent_offers as offer
using smartassist.fact_agent_offers as later, smartassist.fact_interactions as of_offer, smartassist.fact_interactions as of_later
where offer.interaction_key = any($1)
    and later.interaction_key = any($1)
    and later.interaction_key <> offer.interaction_key
    and later.agent_key = offer.agent_key
    and later.assigned_at = offer.assigned_at
    and of_offer.interaction_key = offer.interaction_key
    and of_later.interaction_key = later.interaction_key
    and of_later.conversation_id = of_offer.conversation_id
    and (later.session_started_at, later.interaction_key) > (offer.session_started_at, offer.interaction_key)
