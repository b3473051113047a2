-- The first views for BI tools: one row per interaction, and one row per agent segment.
--
-- They hold facts that can be derived without guessing. The API's status lists are open and say nothing about who hung up while waiting, so there is
-- no "abandoned" here: ended_unanswered says what is known, and final_status what the API says about it. Customers' names, numbers and
-- addresses stay in the tables.
--
-- A segment counts as answered if the API calls its agent the responding one, or if a direct transfer was accepted or responded to.
--
-- Seconds are bigint: a stamp far off in time must spoil one figure, not make the whole query fail with an overflow.

create view smartassist_bi.interactions as
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
    extract(epoch from s.session_ended_at - s.session_started_at)::bigint as session_seconds,
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
        when g.interaction_seconds is not null or g.after_call_work_seconds is not null
            then coalesce(g.interaction_seconds, 0) + coalesce(g.after_call_work_seconds, 0)
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
        sum(a.interaction_seconds) filter (where a.is_answered) as interaction_seconds,
        sum(a.after_call_work_seconds) filter (where a.is_answered) as after_call_work_seconds
    from (
        select
            destination_index,
            segment_index,
            agent_id,
            agent_name,
            accepted_at,
            interaction_seconds,
            after_call_work_seconds,
            response = 'responding'
                or (response = 'direct' and (accepted_at is not null or first_responded_at is not null)) as is_answered
        from smartassist.agent_segments
        where account_id = s.account_id and interaction_id = s.interaction_id
    ) as a
) as g
where s.missing_since is null;

create view smartassist_bi.agent_handling as
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
    extract(epoch from a.accepted_at - d.entered_at)::bigint as queue_to_acceptance_seconds,
    extract(epoch from a.accepted_at - a.assigned_at)::bigint as acceptance_seconds,
    a.first_response_seconds,
    a.interaction_seconds,
    a.after_call_work_seconds,
    case
        when a.interaction_seconds is not null or a.after_call_work_seconds is not null
            then coalesce(a.interaction_seconds, 0)::bigint + coalesce(a.after_call_work_seconds, 0)
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

comment on view smartassist_bi.interactions is
    'One row per interaction that the API still returns, with its first queue and the agents who answered. Ask for a period (session_started_at), which limits how much is read. Contains personal data (customer identifier, agents'' names).';
comment on column smartassist_bi.interactions.account_id is
    'The SmartAssist account that the interaction belongs to.';
comment on column smartassist_bi.interactions.interaction_id is
    'Identity of the interaction within its account. API: conversationId, or sessionId where there is no conversationId.';
comment on column smartassist_bi.interactions.session_id is
    'Identifier of the session, generated by the bot. API: sessionId.';
comment on column smartassist_bi.interactions.conversation_id is
    'Identifier of the conversation; NULL for a session that only a bot handled. API: conversationId.';
comment on column smartassist_bi.interactions.channel is
    'Channel of the interaction, for example Voice or Web/Mobile Client. API: channel.';
comment on column smartassist_bi.interactions.direction is
    'Direction as sent, seen as Inbound and Outbound; often absent for bot-only sessions. API: Direction.';
comment on column smartassist_bi.interactions.is_voicemail is
    'Whether the session was a voicemail; NULL where the API does not say. API: isVoicemail.';
comment on column smartassist_bi.interactions.session_started_at is
    'Instant at which the session started. API: sessionStartTime.';
comment on column smartassist_bi.interactions.session_ended_at is
    'Instant at which the session ended; NULL while it is open or where the API gives no end. API: sessionEndTime.';
comment on column smartassist_bi.interactions.session_seconds is
    'Seconds from the start to the end of the session; NULL without an end. Derived.';
comment on column smartassist_bi.interactions.user_id is
    'Identifier of the customer, generated by SmartAssist, to count repeated contacts. Personal data. API: userId.';
comment on column smartassist_bi.interactions.bot_id is
    'Identifier of the bot involved. API: botId.';
comment on column smartassist_bi.interactions.final_status is
    'Completion status of the session, for example BotResolved, CLOSED or USER ABANDONED; the list is open. API: finalStatus.';
comment on column smartassist_bi.interactions.smart_status is
    'Summarised live status of the session; the list is open. API: smartStatus.';
comment on column smartassist_bi.interactions.reason is
    'Reason for the status; may also hold a disposition. API: reason or Reason.';
comment on column smartassist_bi.interactions.disconnecting_event is
    'The event that ended the conversation; the list is open. API: disconnectingEvent.';
comment on column smartassist_bi.interactions.dispositions is
    'Dispositions that were assigned to the conversation; empty where there are none. API: dispositions.';
comment on column smartassist_bi.interactions.survey_type is
    'Kind of survey that the customer answered: csat, nps or likeDislike; the list is open. API: surveyType.';
comment on column smartassist_bi.interactions.csat_score is
    'Customer satisfaction score; its scale is not part of the record. API: csatScore.';
comment on column smartassist_bi.interactions.nps_score is
    'Net promoter score, documented as 0 to 10. API: npsScore.';
comment on column smartassist_bi.interactions.like_dislike_score is
    'Documented as 1 for like and 0 for dislike. API: likeDislikeScore.';
comment on column smartassist_bi.interactions.campaign_id is
    'Identifier of the campaign. API: campaigninfo.campaignId.';
comment on column smartassist_bi.interactions.campaign_name is
    'Name of the campaign. API: campaigninfo.campaignName.';
comment on column smartassist_bi.interactions.destination_count is
    'Number of queues and direct transfers that the interaction was sent to; 0 for a bot-only session. Derived.';
comment on column smartassist_bi.interactions.segment_count is
    'Number of agent segments: agents who were offered the interaction or handled it, each time counted. Derived.';
comment on column smartassist_bi.interactions.unanswered_segment_count is
    'Number of agent segments that were not answered. Derived.';
comment on column smartassist_bi.interactions.was_queued is
    'Whether at least one destination was a queue: it has a queue id or name, or its type is QueueEntry. Derived.';
comment on column smartassist_bi.interactions.was_answered is
    'Whether at least one agent answered: the API names a responding agent, or a direct transfer was accepted or responded to. Derived.';
comment on column smartassist_bi.interactions.ended_unanswered is
    'Whether the session has ended, was in a queue, and no agent answered. The customer may have hung up, left a voicemail, asked for a callback, or been sent away: final_status and disconnecting_event say more. Derived.';
comment on column smartassist_bi.interactions.callback_opted is
    'Whether the customer asked to be called back at any destination; NULL where the API does not say. Derived from CallbackOpted.';
comment on column smartassist_bi.interactions.first_queue_id is
    'Identifier of the first queue, in the order that the API lists the destinations; NULL if it was never queued. API: destinations[].queueId.';
comment on column smartassist_bi.interactions.first_queue_name is
    'Name of the first queue, in the order that the API lists the destinations. API: destinations[].queueName.';
comment on column smartassist_bi.interactions.first_queue_entered_at is
    'Instant at which the interaction entered the first queue. API: destinations[].EnterTime.';
comment on column smartassist_bi.interactions.queue_wait_seconds is
    'Seconds from entering the first queue to the first acceptance by an answering agent at or after that instant, in whatever queue or direct transfer it came. Includes waiting for a callback. NULL if it was never queued, never accepted, or a stamp is missing. Derived.';
comment on column smartassist_bi.interactions.first_agent_id is
    'Identifier of the first agent who answered, in the order that the API lists the segments. Personal data. API: agentId.';
comment on column smartassist_bi.interactions.first_agent_name is
    'Name of the first agent who answered. Personal data. API: name.';
comment on column smartassist_bi.interactions.last_agent_id is
    'Identifier of the last agent who answered, in the order that the API lists the segments; the first one if only one did. Personal data. API: agentId.';
comment on column smartassist_bi.interactions.last_agent_name is
    'Name of the last agent who answered. Personal data. API: name.';
comment on column smartassist_bi.interactions.first_accepted_at is
    'Earliest instant at which an answering agent accepted. API: acceptedTime.';
comment on column smartassist_bi.interactions.interaction_seconds is
    'Seconds that answering agents spent on the interaction, added up; agents who worked at the same time count twice. NULL where the API gives none. API: interactionDuration.';
comment on column smartassist_bi.interactions.after_call_work_seconds is
    'Seconds of after-call work of answering agents, added up. NULL where the API gives none. API: afterCallWorkDuration.';
comment on column smartassist_bi.interactions.handle_seconds is
    'interaction_seconds plus after_call_work_seconds, a missing one counted as 0. NULL where both are missing. Derived.';
comment on column smartassist_bi.interactions.last_changed_at is
    'Instant at which the loader last stored a changed version of the interaction; for incremental extracts. Not an API field.';

comment on view smartassist_bi.agent_handling is
    'One row per agent segment (an agent who was offered an interaction, or handled it) of interactions that the API still returns, with its session and queue. Ask for a period (assigned_at or session_started_at), which limits how much is read. Contains personal data of agents.';
comment on column smartassist_bi.agent_handling.account_id is
    'The SmartAssist account that the interaction belongs to.';
comment on column smartassist_bi.agent_handling.interaction_id is
    'Identity of the interaction within its account.';
comment on column smartassist_bi.agent_handling.destination_index is
    'Position of the destination in the interaction, from 0.';
comment on column smartassist_bi.agent_handling.segment_index is
    'Position of the agent in the destination, from 0: non-responding agents first, then the responding one.';
comment on column smartassist_bi.agent_handling.channel is
    'Channel of the interaction. API: channel.';
comment on column smartassist_bi.agent_handling.direction is
    'Direction of the interaction as sent. API: Direction.';
comment on column smartassist_bi.agent_handling.session_started_at is
    'Instant at which the session started. API: sessionStartTime.';
comment on column smartassist_bi.agent_handling.session_ended_at is
    'Instant at which the session ended; the segment can end later. API: sessionEndTime.';
comment on column smartassist_bi.agent_handling.final_status is
    'Completion status of the session; the list is open. API: finalStatus.';
comment on column smartassist_bi.agent_handling.destination_type is
    'Kind of destination that the segment belongs to, for example QueueEntry or AgentSegment. API: destinations[].destinationType.';
comment on column smartassist_bi.agent_handling.queue_id is
    'Identifier of the queue; NULL for a direct transfer to an agent. API: destinations[].queueId.';
comment on column smartassist_bi.agent_handling.queue_name is
    'Name of the queue; NULL for a direct transfer to an agent. API: destinations[].queueName.';
comment on column smartassist_bi.agent_handling.queue_entered_at is
    'Instant at which the interaction entered the queue. API: destinations[].EnterTime.';
comment on column smartassist_bi.agent_handling.agent_id is
    'Identifier of the agent. Personal data. API: agentId.';
comment on column smartassist_bi.agent_handling.agent_name is
    'Name of the agent. Personal data. API: name.';
comment on column smartassist_bi.agent_handling.agent_email is
    'E-mail address of the agent. Personal data. API: email.';
comment on column smartassist_bi.agent_handling.response is
    'Where the segment stood in the record: responding, non_responding or direct (the destination itself was the segment).';
comment on column smartassist_bi.agent_handling.status is
    'Status of the conversation with this agent, for example Answered; the list is open. API: status.';
comment on column smartassist_bi.agent_handling.is_answered is
    'Whether the agent answered: the API names the agent as the responding one, or a direct transfer was accepted or responded to. Derived.';
comment on column smartassist_bi.agent_handling.non_response_event is
    'Why the agent did not respond, for example Ignored; the list is open. API: nonResponseEvent.';
comment on column smartassist_bi.agent_handling.assigned_at is
    'Instant at which the conversation was assigned to the agent. API: assignedAt.';
comment on column smartassist_bi.agent_handling.accepted_at is
    'Instant at which the agent accepted the conversation. API: acceptedTime.';
comment on column smartassist_bi.agent_handling.first_responded_at is
    'Instant of the agent''s first response. API: firstResponseTime.';
comment on column smartassist_bi.agent_handling.interaction_ended_at is
    'Instant at which the interaction with this agent ended. API: interactionEndTime.';
comment on column smartassist_bi.agent_handling.after_call_work_ended_at is
    'Instant at which the agent completed the after-call work. API: afterCallWorkEndTime.';
comment on column smartassist_bi.agent_handling.queue_to_acceptance_seconds is
    'Seconds from entering this queue to this agent''s acceptance; includes waiting for a callback and offers to other agents before. NULL for a direct transfer or without acceptance. Derived.';
comment on column smartassist_bi.agent_handling.acceptance_seconds is
    'Seconds from the assignment to the agent''s acceptance; NULL without acceptance. Derived.';
comment on column smartassist_bi.agent_handling.first_response_seconds is
    'Seconds from the agent''s acceptance to the first response, as reckoned by the API. API: firstResponseDuration.';
comment on column smartassist_bi.agent_handling.interaction_seconds is
    'Seconds from the agent''s acceptance to the last utterance, as reckoned by the API. API: interactionDuration.';
comment on column smartassist_bi.agent_handling.after_call_work_seconds is
    'Seconds of after-call work. API: afterCallWorkDuration.';
comment on column smartassist_bi.agent_handling.handle_seconds is
    'interaction_seconds plus after_call_work_seconds, a missing one counted as 0. NULL where both are missing. Derived.';
comment on column smartassist_bi.agent_handling.consultation_count is
    'Number of consultations that the agent made in this segment. Derived.';
comment on column smartassist_bi.agent_handling.agent_chose_translate is
    'Whether the agent chose translation; NULL where the API does not say. API: agentChoseTranslate.';
