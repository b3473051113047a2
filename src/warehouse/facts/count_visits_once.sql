-- The same stay in a queue in several records of a conversation counts in the one that began last.
delete from smartassist.fact_queue_visits as visit
using smartassist.fact_queue_visits as later
where visit.interaction_key = any($1)
    and later.interaction_key = any($1)
    and later.interaction_key <> visit.interaction_key
    and later.conversation_id = visit.conversation_id
    and later.queue_key = visit.queue_key
    and later.entered_at = visit.entered_at
    and (later.session_started_at, later.interaction_key) > (visit.session_started_at, visit.interaction_key)
