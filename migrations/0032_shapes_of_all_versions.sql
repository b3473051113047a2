-- What records of every version of the API hold: time on hold, ids and addresses of consulted agents, who joined a conversation, and which sessions
-- are shadows of another. And views in which a sum is never smaller than the truth, and no span is negative.

alter table smartassist.sessions add column is_shadow boolean not null default false;
alter table smartassist.agent_segments add column hold_seconds integer;
alter table smartassist.consultations
    add column consultant_agent_id text collate "C",
    add column consultant_email text,
    add constraint consultations_consultant_agent_id_fits_index check (octet_length(consultant_agent_id) <= 512);

create table smartassist.joined_users (
    account_id text not null,
    interaction_id text not null,
    destination_index integer not null,
    segment_index integer not null,
    user_index integer not null,
    agent_id text collate "C",
    name text,
    email text,
    joined_at timestamptz,
    left_at timestamptz,
    extra jsonb,
    constraint joined_users_pkey primary key (account_id, interaction_id, destination_index, segment_index, user_index),
    constraint joined_users_agent_segment_fkey foreign key (account_id, interaction_id, destination_index, segment_index)
        references smartassist.agent_segments (account_id, interaction_id, destination_index, segment_index) on delete cascade,
    constraint joined_users_index_from_zero check (user_index >= 0),
    constraint joined_users_agent_id_fits_index check (octet_length(agent_id) <= 512)
);

-- What the column held becomes rows, in which only names are taken apart; reading an interaction again, or `replay`, does the rest.
insert into smartassist.joined_users (account_id, interaction_id, destination_index, segment_index, user_index, name, extra)
select
    segment.account_id,
    segment.interaction_id,
    segment.destination_index,
    segment.segment_index,
    (joined.place - 1)::integer,
    case when jsonb_typeof(joined.one) = 'string' then joined.one #>> '{}' else joined.one ->> 'name' end,
    case
        when jsonb_typeof(joined.one) = 'object' then nullif(joined.one - 'name', '{}')
        when jsonb_typeof(joined.one) <> 'string' then jsonb_build_object('value', joined.one)
    end
from smartassist.agent_segments as segment
cross join lateral jsonb_array_elements(
    case when jsonb_typeof(segment.joined_users) = 'array' then segment.joined_users else jsonb_build_array(segment.joined_users) end
) with ordinality as joined (one, place)
where segment.joined_users is not null;

alter table smartassist.agent_segments drop column joined_users;

create or replace view smartassist_bi.interactions as
select
    s.account_id,
    s.interaction_id,
    s.session_id,
    s.conversation_id,
    s.channel,
    s.direction,
    s.is_voicemail,
    s.session_started_at,
    s.session_ended_at,
    case
        when s.session_ended_at >= s.session_started_at then extract(epoch from s.session_ended_at - s.session_started_at)::bigint
    end as session_seconds,
    s.user_id,
    s.bot_id,
    s.final_status,
    s.smart_status,
    s.reason,
    s.disconnecting_event,
    s.dispositions,
    s.survey_type,
    s.csat_score,
    s.nps_score,
    s.like_dislike_score,
    s.campaign_id,
    s.campaign_name,
    d.destination_count,
    g.segment_count,
    g.unanswered_segment_count,
    d.was_queued,
    g.was_answered,
    s.session_ended_at is not null and d.was_queued and not g.was_answered as ended_unanswered,
    d.callback_opted,
    d.first_queue_id,
    d.first_queue_name,
    d.first_queue_entered_at,
    extract(epoch from g.accepted_after_queue_at - d.first_queue_entered_at)::bigint as queue_wait_seconds,
    g.first_agent_id,
    g.first_agent_name,
    g.last_agent_id,
    g.last_agent_name,
    g.first_accepted_at,
    g.interaction_seconds,
    g.after_call_work_seconds,
    case
        when not g.is_after_call_work_unreadable then g.interaction_seconds + coalesce(g.after_call_work_seconds, 0)
    end as handle_seconds,
    s.last_changed_at
from smartassist.sessions as s
-- Laterals, not grouped subqueries: a condition on the period of the sessions then limits how many children are read.
cross join lateral (
    select
        count(*) as destination_count,
        count(*) filter (where q.is_queue) > 0 as was_queued,
        bool_or(q.callback_opted) as callback_opted,
        (array_agg(q.queue_id order by q.destination_index) filter (where q.is_queue))[1] as first_queue_id,
        (array_agg(q.queue_name order by q.destination_index) filter (where q.is_queue))[1] as first_queue_name,
        (array_agg(q.entered_at order by q.destination_index) filter (where q.is_queue))[1] as first_queue_entered_at
    from (
        select
            destination_index,
            queue_id,
            queue_name,
            entered_at,
            callback_opted,
            queue_id is not null or queue_name is not null or destination_type is not distinct from 'QueueEntry' as is_queue
        from smartassist.destinations
        where account_id = s.account_id and interaction_id = s.interaction_id
    ) as q
) as d
cross join lateral (
    select
        count(*) as segment_count,
        count(*) filter (where not a.is_answered) as unanswered_segment_count,
        count(*) filter (where a.is_answered) > 0 as was_answered,
        (array_agg(a.agent_id order by a.destination_index, a.segment_index) filter (where a.is_answered))[1] as first_agent_id,
        (array_agg(a.agent_name order by a.destination_index, a.segment_index) filter (where a.is_answered))[1] as first_agent_name,
        (array_agg(a.agent_id order by a.destination_index desc, a.segment_index desc) filter (where a.is_answered))[1] as last_agent_id,
        (array_agg(a.agent_name order by a.destination_index desc, a.segment_index desc) filter (where a.is_answered))[1] as last_agent_name,
        min(a.accepted_at) filter (where a.is_answered) as first_accepted_at,
        min(a.accepted_at) filter (where a.is_answered and a.accepted_at >= d.first_queue_entered_at) as accepted_after_queue_at,
        case
            when not bool_or(a.is_answered and a.interaction_seconds is null)
                then sum(a.interaction_seconds) filter (where a.is_answered)
        end as interaction_seconds,
        case
            when not bool_or(a.is_answered and a.is_after_call_work_unreadable)
                then sum(a.after_call_work_seconds) filter (where a.is_answered)
        end as after_call_work_seconds,
        coalesce(bool_or(a.is_answered and a.is_after_call_work_unreadable), false) as is_after_call_work_unreadable
    from (
        select
            destination_index,
            segment_index,
            agent_id,
            agent_name,
            accepted_at,
            interaction_seconds,
            after_call_work_seconds,
            after_call_work_seconds is null and coalesce(extra ? 'afterCallWorkDuration', false) as is_after_call_work_unreadable,
            response = 'responding'
                or (response = 'direct' and (accepted_at is not null or first_responded_at is not null)) as is_answered
        from smartassist.agent_segments
        where account_id = s.account_id and interaction_id = s.interaction_id
    ) as a
) as g
where s.missing_since is null;

create or replace view smartassist_bi.agent_handling as
select
    a.account_id,
    a.interaction_id,
    a.destination_index,
    a.segment_index,
    s.channel,
    s.direction,
    s.session_started_at,
    s.session_ended_at,
    s.final_status,
    d.destination_type,
    d.queue_id,
    d.queue_name,
    d.entered_at as queue_entered_at,
    a.agent_id,
    a.agent_name,
    a.agent_email,
    a.response,
    a.status,
    a.response = 'responding'
        or (a.response = 'direct' and (a.accepted_at is not null or a.first_responded_at is not null)) as is_answered,
    a.non_response_event,
    a.assigned_at,
    a.accepted_at,
    a.first_responded_at,
    a.interaction_ended_at,
    a.after_call_work_ended_at,
    case
        when a.accepted_at >= d.entered_at then extract(epoch from a.accepted_at - d.entered_at)::bigint
    end as queue_to_acceptance_seconds,
    case
        when a.accepted_at >= a.assigned_at then extract(epoch from a.accepted_at - a.assigned_at)::bigint
    end as acceptance_seconds,
    a.first_response_seconds,
    a.interaction_seconds,
    a.after_call_work_seconds,
    case
        when a.after_call_work_seconds is not null or not coalesce(a.extra ? 'afterCallWorkDuration', false)
            then a.interaction_seconds::bigint + coalesce(a.after_call_work_seconds, 0)
    end as handle_seconds,
    (
        select count(*)
        from smartassist.consultations as c
        where
            c.account_id = a.account_id
            and c.interaction_id = a.interaction_id
            and c.destination_index = a.destination_index
            and c.segment_index = a.segment_index
    ) as consultation_count,
    a.agent_chose_translate
from smartassist.agent_segments as a
join smartassist.sessions as s
    on s.account_id = a.account_id and s.interaction_id = a.interaction_id
-- The foreign key promises exactly one destination. Written as an outer join, the planner leaves it out of queries that ask for no queue.
left join smartassist.destinations as d
    on d.account_id = a.account_id and d.interaction_id = a.interaction_id and d.destination_index = a.destination_index
where s.missing_since is null;

comment on column smartassist.sessions.is_shadow is
    'Whether the record is one that the agent''s assistant left beside a conversation, and so no contact of its own: its channel is agentassist or AgentAssistV2, its channelSpecificUserId is <account>/agentassist/<conversation>, or metaInfo.customData.isAgentAssistOnly says so and it never came to a queue or an agent. The conversation is split_part(channel_specific_user_id, ''/'', 3). Decided by the loader.';
comment on column smartassist.agent_segments.hold_seconds is
    'Seconds for which the agent put the customer on hold. API: destinations[].respondingAgent.holdDuration.';
comment on column smartassist.consultations.consultant_agent_id is
    'Identifier of the consultant, where it is an agent of the centre. Personal data. API: destinations[].respondingAgent.ConsultingAgents[].agentId.';
comment on column smartassist.consultations.consultant_email is
    'E-mail address of the consultant, where it is an agent of the centre. Personal data. API: destinations[].respondingAgent.ConsultingAgents[].email.';

comment on table smartassist.joined_users is
    'One row per user who joined the conversation of an agent segment. Contains personal data of agents.';
comment on column smartassist.joined_users.account_id is
    'The SmartAssist account, as in smartassist.sessions. Part of the key.';
comment on column smartassist.joined_users.interaction_id is
    'The interaction, as in smartassist.sessions. Part of the key.';
comment on column smartassist.joined_users.destination_index is
    'The destination, as in smartassist.destinations. Part of the key.';
comment on column smartassist.joined_users.segment_index is
    'The agent segment, as in smartassist.agent_segments. Part of the key.';
comment on column smartassist.joined_users.user_index is
    'Position in the API''s JoinedUsers array, from 0. Part of the key.';
comment on column smartassist.joined_users.agent_id is
    'Identifier of the user. NULL where the API gives only a name. Personal data. API: destinations[].respondingAgent.JoinedUsers[].agentId.';
comment on column smartassist.joined_users.name is
    'Name of the user. Personal data. API: destinations[].respondingAgent.JoinedUsers[].name.';
comment on column smartassist.joined_users.email is
    'E-mail address of the user. Personal data. API: destinations[].respondingAgent.JoinedUsers[].email.';
comment on column smartassist.joined_users.joined_at is
    'Instant at which the user joined. API: destinations[].respondingAgent.JoinedUsers[].joinedAt.';
comment on column smartassist.joined_users.left_at is
    'Instant at which the user left. API: destinations[].respondingAgent.JoinedUsers[].end.';
comment on column smartassist.joined_users.extra is
    'Fields of the element that have no column, or could not be read as their column, as sent. NULL when nothing is left over. May contain personal data.';

comment on column smartassist.sessions.session_started_at is
    'Instant at which the session started. Where the API does not say so, the instant that a sessionId of 24 hexadecimal digits begins with, and a warning. API: sessionStartTime.';
comment on column smartassist.sessions.session_ended_at is
    'Instant at which the session ended; NULL while it is open, also where the API says TRANSIENT_OPEN with an end that is the start. Can be earlier than the end of its last agent. API: sessionEndTime.';
comment on column smartassist.sessions.reason is
    'Reason for the status; can also hold a disposition, or a queue and the name of an agent. API: reason or Reason.';

comment on column smartassist_bi.interactions.session_seconds is
    'Seconds from the start to the end of the session; NULL without an end, or where the end is before the start. Derived.';
comment on column smartassist_bi.interactions.interaction_seconds is
    'Seconds that answering agents spent on the interaction, added up; agents who worked at the same time count twice. NULL where one of them has none or one that cannot be read: a sum is never smaller than the truth. API: interactionDuration.';
comment on column smartassist_bi.interactions.after_call_work_seconds is
    'Seconds of after-call work of answering agents, added up; an agent without any counts as 0. NULL where no agent has any, or one has a value that cannot be read. API: afterCallWorkDuration.';
comment on column smartassist_bi.interactions.handle_seconds is
    'interaction_seconds plus after_call_work_seconds, where absent after-call work counts as 0. NULL where interaction_seconds is NULL, or after-call work cannot be read. Derived.';
comment on column smartassist_bi.agent_handling.queue_to_acceptance_seconds is
    'Seconds from entering this queue to this agent''s acceptance; includes waiting for a callback and offers to other agents before. NULL for a direct transfer, without acceptance, or where the acceptance is before the entry. Derived.';
comment on column smartassist_bi.agent_handling.acceptance_seconds is
    'Seconds from the assignment to the agent''s acceptance; NULL without acceptance, or where it is before the assignment. Derived.';
comment on column smartassist_bi.agent_handling.handle_seconds is
    'interaction_seconds plus after_call_work_seconds, where absent after-call work counts as 0. NULL where interaction_seconds is NULL, or after-call work cannot be read. Derived.';
