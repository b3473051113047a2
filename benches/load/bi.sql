-- A year of a contact centre with 40 queues and 500 agents, made in SQL: :rows interactions up to the end of October 2026, by random numbers
-- that are the same each time. 60 of 100 come to a queue; some of these flow over, are given on, abandoned or left as a voicemail.
select setseed(0.42);

create table made as
select
    n,
    smartassist.interaction_key('acct', 'c-' || n, lpad(to_hex(extract(epoch from at)::bigint), 8, '0') || left(md5(n::text), 16)) as interaction_key,
    lpad(to_hex(extract(epoch from at)::bigint), 8, '0') || left(md5(n::text), 16) as session_id,
    at,
    is_queued,
    case when is_queued then case when fate < 0.72 then 'answered' when fate < 0.84 then 'abandoned' when fate < 0.9 then 'flows' when fate < 0.95
        then 'given' when fate < 0.97 then 'voicemail' else 'terminated' end else 'bot' end as fate,
    (random() * 90)::integer as wait,
    (60 + random() * 600)::integer as talk,
    (random() * 40)::integer as acw,
    1 + (random() * random() * 39)::integer as queue,
    1 + (random() * 499)::integer as agent,
    (random() * 300000)::integer as customer,
    (array['Voice', 'Web/Mobile Client', 'System Mail', 'WhatsApp'])[1 + floor(random() * 4)::integer] as channel,
    random() as dice
from (
    select
        n,
        timestamptz '2025-11-01 00:00Z' + n * interval '1 year' / :rows as at,
        random() < 0.6 as is_queued,
        random() as fate
    from generate_series(0, :rows - 1) as n
) as thrown;

insert into smartassist_sync.accounts (account_id, name, start_from, coverage, settled)
values ('acct', 'main', '2025-11-01Z', '{[2025-11-01Z, 2026-11-01Z)}', '{[2025-11-01Z, 2026-11-01Z)}');

insert into smartassist.sessions (
    interaction_key, account_id, session_id, conversation_id, channel, direction, is_voicemail, session_started_at, session_ended_at, bot_id,
    user_id, smart_status, final_status, disconnecting_event, dispositions, csat_score, nps_score, last_intent_name, content_hash,
    first_seen_at, last_changed_at
)
select
    interaction_key, 'acct', session_id, case when is_queued then 'c-' || n end, channel, case when dice < 0.9 then 'Inbound' else 'Outbound' end,
    fate = 'voicemail', at, at + make_interval(secs => wait + case when fate in ('answered', 'flows', 'given') then talk else 5 end), 'bot-1',
    'u-' || customer,
    case fate when 'abandoned' then 'ABANDONED' when 'terminated' then 'TERMINATED' when 'bot' then 'CLOSED AT BOT' else 'CLOSED' end,
    case fate when 'abandoned' then 'USER ABANDONED' when 'bot' then case when dice < 0.6 then 'BotResolved' else 'CLOSED' end else 'CLOSED' end,
    case fate when 'abandoned' then 'User Hangup' when 'terminated' then 'System Hangup' else 'Agent Hangup' end,
    case when is_queued and dice < 0.7 then array[(array['Resolved', 'Billing', 'Follow up', 'Complaint', 'Sale'])[1 + n % 5]] || case when n % 4 = 0
        then array['Second ' || n % 9] else '{}'::text[] end else '{}' end,
    case when fate = 'answered' and dice < 0.1 then 1 + n % 5 end, case when fate = 'answered' and dice > 0.92 then n % 11 end,
    (array['billing', 'order', 'cancel', 'support', 'other'])[1 + n % 5], sha256(int4send(n)), at + interval '5 minutes', at + interval '5 minutes'
from made;

insert into smartassist.destinations (interaction_key, destination_index, destination_type, queue_id, queue_name, entered_at, callback_opted)
select interaction_key, 0, 'QueueEntry', 'q-' || queue, 'Queue ' || queue, at + interval '5 seconds', dice > 0.98
from made
where is_queued
union all
select interaction_key, 1, case when fate = 'flows' then 'QueueEntry' else 'AgentSegment' end, case when fate = 'flows' then 'q-' || (1 + queue % 40) end,
    case when fate = 'flows' then 'Queue ' || (1 + queue % 40) end, case when fate = 'flows' then at + make_interval(secs => 5 + wait) end, false
from made
where fate in ('flows', 'given');

insert into smartassist.agent_segments (
    interaction_key, destination_index, segment_index, response, agent_id, agent_name, status, assigned_at, accepted_at, first_response_seconds,
    interaction_ended_at, interaction_seconds, after_call_work_seconds, after_call_work_ended_at, non_response_event
)
select
    interaction_key, case when fate in ('flows', 'given') then 1 else 0 end, case when dice < 0.2 then 1 else 0 end,
    case when fate = 'given' then 'direct' else 'responding' end, 'a-' || agent, 'Agent ' || agent % 450, 'Answered',
    at + make_interval(secs => 5 + wait - 4), at + make_interval(secs => 5 + wait), 7, at + make_interval(secs => 5 + wait + talk), talk, acw,
    at + make_interval(secs => 5 + wait + talk + acw), null
from made
where fate in ('answered', 'flows', 'given')
union all
select
    interaction_key, case when fate = 'flows' then 1 else 0 end, 0, 'non_responding', 'a-' || (1 + agent % 499), 'Agent ' || (1 + agent % 499) % 450, null,
    at + interval '6 seconds', null, null, null, null, null, null, case when n % 3 = 0 then 'Supervisor Reassigned' else 'Ignored' end
from made
where (fate in ('answered', 'flows') and dice < 0.2) or fate = 'given';

insert into smartassist.consultations (interaction_key, destination_index, segment_index, consultation_index, consultant_name, is_merged, accepted_at, ended_at)
select interaction_key, destination_index, segment_index, 0, 'Someone', true, accepted_at + interval '30 seconds', accepted_at + interval '90 seconds'
from smartassist.agent_segments
where response = 'responding' and interaction_seconds % 25 = 0;

insert into smartassist.tags (interaction_key, tag_scope, tag_index, name, value)
select interaction_key, 'session', place, 'topic', 'value ' || (n + place) % 12
from made
cross join generate_series(0, 1) as place
where n % 3 = 0;

drop table made;
analyze;
