insert into smartassist.reporting (account_id) values ('acct');
update smartassist.sessions set missing_since = now() where session_id = 's-3';
insert into smartassist.queues values ('acct', 'q-1', 'q-1', 'Support', 'Support', now());
insert into smartassist.agents values ('acct', 'a-1', 'a-1', 'Kim', 'Kim', now());
insert into smartassist.fact_queue_visits select * from smartassist.derived_queue_visits;
insert into smartassist.fact_agent_offers select * from smartassist.derived_agent_offers;
insert into smartassist.fact_interactions select * from smartassist.derived_interactions;
insert into smartassist.fact_contacts (
    interaction_key, account_id, contact_key, started_quarter_local, started_on, session_started_at, channel, direction
)
select interaction_key, account_id, contact_key, started_quarter_local, started_on, session_started_at, channel, direction
from smartassist.fact_interactions;
