insert into smartassist.fact_contacts (
    interaction_key, account_id, contact_key, started_quarter_local, started_on, session_started_at, contact_ended_at,
    channel, direction, first_queue_key, last_agent_key
)
select
    interaction_key, account_id, contact_key, started_quarter_local, started_on, session_started_at, contact_ended_at,
    channel, direction, first_queue_key, last_agent_key
from smartassist.fact_interactions
where interaction_key = any($1) and destination_count > 0 and conversations = 1 and contact_key is not null
returning contact_key, session_started_at
