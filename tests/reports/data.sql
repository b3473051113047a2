-- A year of interactions of every kind, and many about the four instants of 2025 at which clocks change in New York and on Lord Howe Island.
select setseed(0.7);

insert into smartassist_sync.accounts (account_id, name, start_from, coverage, settled)
values ('acct', 'main', '2025-01-01Z', '{[2025-01-01Z, 2025-12-31Z)}', '{[2025-01-01Z, 2025-12-31Z)}');

create temporary table made as
select
    row_number() over (order by at) as n,
    at,
    (array['answered', 'answered', 'answered', 'abandoned', 'short', 'flows', 'given', 'reassigned', 'transferred', 'voicemail', 'callback', 'called back',
        'terminated', 'waiting', 'missing', 'bot', 'bot', 'bot open', 'direct', 'twice', 'shadow', 'abandoned with agent'])[1 + floor(random() * 22)::integer] as fate,
    (random() * 60)::integer as wait,
    (20 + random() * 900)::integer as talk,
    (random() * 30)::integer as acw,
    1 + floor(random() * 5)::integer as queue,
    1 + floor(random() * 9)::integer as agent,
    1 + floor(random() * 400)::integer as customer,
    random() as dice
from (
    select timestamptz '2025-01-02Z' + n * interval '7 hours 7 minutes' as at from generate_series(0, 1215) as n
    union all
    select change.at + n * interval '6 minutes 11 seconds'
    from (values (timestamptz '2025-03-09 07:00Z'), ('2025-11-02 06:00Z'), ('2025-04-05 15:00Z'), ('2025-10-04 15:30Z')) as change (at)
    cross join generate_series(-60, 60) as n
) as moments;

create function pg_temp.key(n bigint, part text default '') returns uuid language sql as $$
    select smartassist.interaction_key('acct', 'c-' || n, 's-' || n || part)
$$;

-- A bot's session has no conversation; some conversations have a second record that began later and holds all that was, and more; some of these
-- lack the scores, dispositions or tags of the first, or have another agent.
insert into smartassist.sessions (
    interaction_key, account_id, session_id, conversation_id, channel, direction, is_voicemail, session_started_at, session_ended_at, user_id,
    smart_status, final_status, reason, disconnecting_event, dispositions, csat_score, nps_score, skills, last_intent_name, content_hash,
    first_seen_at, last_changed_at, missing_since, is_shadow
)
select
    case when fate in ('bot', 'bot open', 'shadow') then smartassist.interaction_key('acct', null, 's-' || n) else pg_temp.key(n, part) end,
    'acct', 's-' || n || part, case when fate not in ('bot', 'bot open', 'shadow') then 'c-' || n end,
    (array['Voice', 'voice', 'Web/Mobile Client', 'System Mail', null])[1 + n % 5], (array['Inbound', 'Outbound', 'Inbound', null])[1 + n % 4],
    case fate when 'voicemail' then true when 'abandoned' then false end,
    at + case part when '' then interval '0' else interval '2 minutes' end,
    case when fate not in ('waiting', 'bot open') and (fate <> 'shadow' or n % 2 > 0) then at + make_interval(secs => 10 + wait + case when fate in ('short', 'abandoned') then 0 else 30 end) end,
    case when n % 7 > 0 then 'u-' || customer end,
    case fate when 'abandoned' then 'ABANDONED' when 'abandoned with agent' then 'ABANDONED WITH AGENT' when 'terminated' then 'TERMINATED' else 'CLOSED' end,
    case when fate = 'bot' and n % 2 = 0 then 'BotResolved' when fate = 'short' then 'USER ABANDONED' else 'CLOSED' end,
    case when fate = 'terminated' and n % 2 = 0 then 'DROP-OFF' end,
    (array['Agent Hangup', 'User Hangup', 'System Hangup', null])[1 + n % 4],
    case when n % 3 = 0 or part = 'b' and n % 4 = 0 then '{}'::text[] when n % 3 = 1 then array['Resolved'] when n % 6 = 2 then array['Billing', null, 'Follow up'] else array[null, 'Billing', 'Follow up'] end,
    case when dice < 0.4 and (part = '' or n % 2 = 0) then 1 + n % 5 end, case when dice > 0.7 and (part = '' or n % 4 > 0) then n % 11 end,
    case when n % 4 = 0 then '[{"id": "1", "name": "English"}, {"id": "2", "name": "Billing"}]'::jsonb end,
    (array['billing', 'order', null])[1 + n % 3], sha256(int8send(n)), at, at, case when fate = 'missing' then at + interval '1 day' end, fate = 'shadow'
from made
cross join lateral (values (''), ('b')) as record (part)
where part = '' or fate = 'twice';

create temporary view record as
select made.*, s.interaction_key, s.session_id like '%b' as is_second from made
join smartassist.sessions as s on s.session_id in ('s-' || n, 's-' || n || 'b') and s.conversation_id is not null;

-- The fifth queue has no name and the fourth no identifier; two agents are both called Kim, one has no identifier, one nothing at all.
create function pg_temp.queue_id(queue integer) returns text language sql as $$ select case when queue <> 4 then 'queue-00000' || queue end $$;
create function pg_temp.queue_name(queue integer) returns text language sql as $$ select (array['Sales', 'Support', 'Sales', 'Nameless id'])[queue] $$;
create function pg_temp.agent_id(agent integer) returns text language sql as $$ select case when agent < 8 then 'agent-00000' || agent end $$;
create function pg_temp.agent_name(agent integer) returns text language sql as $$
    select (array['Kim', 'Kim', 'Lee', 'Pat', 'Sam', 'Alex', null, 'Robin'])[agent]
$$;

insert into smartassist.destinations (interaction_key, destination_index, destination_type, queue_id, queue_name, entered_at, callback_opted, callback_opted_at, callback_accepted_at)
select interaction_key, 0, case when queue <> 5 then 'QueueEntry' end, pg_temp.queue_id(queue), pg_temp.queue_name(queue),
    case when n % 50 > 0 then at + interval '5 seconds' end, fate in ('callback', 'called back'),
    case when fate in ('callback', 'called back') then at + interval '8.4 seconds' end, case when fate = 'called back' then at + interval '40 minutes' end
from record where fate <> 'direct'
union all
select interaction_key, 1, case when fate = 'flows' then 'QueueEntry' else 'AgentSegment' end,
    case when fate = 'flows' then pg_temp.queue_id(1 + queue % 5) end, case when fate = 'flows' then pg_temp.queue_name(1 + queue % 5) end,
    case when fate = 'flows' then at + make_interval(secs => 5 + wait) end, null, null, null
from record where fate in ('flows', 'given', 'reassigned', 'transferred', 'direct');

insert into smartassist.agent_segments (
    interaction_key, destination_index, segment_index, response, agent_id, agent_name, assigned_at, accepted_at, first_responded_at, first_response_seconds,
    interaction_ended_at, interaction_seconds, hold_seconds, after_call_work_seconds, after_call_work_ended_at, non_response_event, extra
)
select
    interaction_key, destination_index, segment_index, response, pg_temp.agent_id(1 + (agent + turn) % 9), pg_temp.agent_name(1 + (agent + turn) % 9),
    at + make_interval(secs => 5 + wait + turn * 60 + case when is_second and n % 3 = 0 then 600 else 0 end), case when is_accepted and n % 37 > 0 then at + make_interval(secs => 8 + wait + turn * 60 + case when fate = 'called back' then 2500 else 0 end) end,
    case when is_accepted then at + make_interval(secs => 20 + wait + turn * 60) end, case when is_accepted then 12 end,
    case when is_accepted then at + make_interval(secs => 8 + wait + turn * 60 + talk) end, case when is_accepted and n % 40 > 0 then talk end,
    case when n % 3 = 0 and not (n % 2 = 0 and turn = 1) then 11 end, case when is_accepted and n % 5 > 0 then acw end,
    case when is_accepted and n % 5 > 0 then at + make_interval(secs => 8 + wait + turn * 60 + talk + acw) end,
    case when response = 'non_responding' then (array['Ignored', 'Supervisor Reassigned', null])[1 + n % 3] end,
    case when n % 45 = 0 then '{"afterCallWorkDuration": "long"}'::jsonb when n % 6 = 0 and turn = 1 then '{"holdDuration": "long"}' end
from record
cross join lateral (
    values
        ('answered', 0, 0, 'responding', true, 0), ('abandoned with agent', 0, 0, 'responding', true, 0), ('missing', 0, 0, 'responding', true, 0),
        ('twice', 0, 0, 'non_responding', false, 0), ('twice', 0, 1, 'responding', true, 1), ('called back', 0, 0, 'responding', true, 0),
        ('flows', 1, 0, 'responding', true, 1), ('given', 0, 0, 'responding', true, 0), ('given', 1, 0, 'direct', true, 1),
        ('reassigned', 0, 0, 'non_responding', false, 0), ('reassigned', 0, 1, 'non_responding', false, 1), ('reassigned', 1, 0, 'direct', true, 2),
        ('transferred', 0, 0, 'non_responding', false, 0), ('transferred', 1, 0, 'direct', false, 1), ('terminated', 0, 0, 'non_responding', false, 0),
        ('waiting', 0, 0, 'non_responding', false, 0), ('direct', 1, 0, 'direct', true, 0)
) as offer (of_fate, destination_index, segment_index, response, is_accepted, turn)
where of_fate = fate;

insert into smartassist.consultations (interaction_key, destination_index, segment_index, consultation_index, consultant_name, is_merged, accepted_at, ended_at)
select interaction_key, destination_index, segment_index, place, 'Somebody', place = 0, accepted_at + interval '30 seconds', case when place = 0 then accepted_at + interval '75 seconds' end
from smartassist.agent_segments
cross join generate_series(0, 1) as place
where accepted_at is not null and interaction_seconds % 6 = 0;

insert into smartassist.tags (interaction_key, tag_scope, tag_index, name, value)
select interaction_key, case when place < 3 then 'session' else 'user' end, place, case when place < 3 then 'topic' else 'name' end,
    case when n % 20 = 0 then 'call +49 30 1234567' else 'value ' || (n + place) % 4 end
from record
cross join generate_series(0, 3) as place
where n % 2 = 0 and (place <> 1 or n % 3 = 0) and not (is_second and n % 8 = 0);
