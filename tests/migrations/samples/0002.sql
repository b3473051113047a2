insert into smartassist.sessions
    (interaction_key, account_id, session_id, conversation_id, session_started_at, session_ended_at, user_id, dispositions, content_hash,
     first_seen_at, last_changed_at)
select smartassist.interaction_key('acct', 'c-' || n, 's-' || n), 'acct', 's-' || n, 'c-' || n, '2026-01-10T10:00Z', '2026-01-10T10:05Z',
       'u-' || n, array['Billing', null], sha256('x'), now(), now()
from generate_series(1, 3) as n;
insert into smartassist.destinations (interaction_key, destination_index, destination_type, queue_id, entered_at)
select interaction_key, 0, 'QueueEntry', 'q-1', session_started_at from smartassist.sessions;
insert into smartassist.agent_segments (interaction_key, destination_index, segment_index, response, agent_id, accepted_at, interaction_seconds)
select interaction_key, 0, 0, 'responding', 'a-1', session_started_at + interval '9 seconds', 120 from smartassist.sessions;
insert into smartassist.consultations (interaction_key, destination_index, segment_index, consultation_index, consultant_name)
select interaction_key, 0, 0, 0, 'Kim' from smartassist.sessions;
insert into smartassist.joined_users (interaction_key, destination_index, segment_index, user_index, name)
select interaction_key, 0, 0, 0, 'Pia' from smartassist.sessions;
insert into smartassist.tags (interaction_key, tag_scope, tag_index, name, value)
select interaction_key, 'session', 0, 'n', 'v' from smartassist.sessions;
insert into smartassist.raw_interactions (interaction_key, payload, time_zone_offset, fetched_at)
select interaction_key, '{}', 0, now() from smartassist.sessions;
