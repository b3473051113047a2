-- Views: the gaps of the ledger, and what BI tools read.
--
-- The views of smartassist_bi hold facts that can be derived without guessing. The API's status lists are open and say nothing about who hung up
-- while waiting, so there is no "abandoned" here: ended_unanswered says what is known, and final_status what the API says about it.
--
-- They hold no name, number or address of a customer, and no arrays. user_id may be an e-mail address or a phone number: channels choose it. In
-- its place is a keyed hash, by which contacts of one customer can be counted, and which nobody can try numbers on who cannot read the key. Free
-- text in which such a thing may stand is withheld where it looks as if it did. BI tools write lower(column) around every column of a filter,
-- which PostgreSQL does not know for arrays, so dispositions are one text, and a view of one row a disposition.
--
-- A segment counts as answered if the API calls its agent the responding one, or if a direct transfer was accepted or responded to.
--
-- Seconds are bigint: a stamp far off in time must spoil one figure, not make the whole query fail with an overflow. A negative span is none.

create view smartassist_sync.gaps as
select
    tried.account_id,
    tried.range,
    tried.times_tried,
    tried.first_tried_at,
    tried.last_tried_at,
    -- Seven doublings are past a day already; more would only overflow.
    tried.last_tried_at
        + least(interval '15 minutes' * 2 ^ least(tried.times_tried - 1, 7), interval '1 day') as next_try_at,
    tried.error,
    -- What of it lies in what is wanted, empty or not, may have been read by itself.
    not tried.range * tstzrange(account.start_from, null) <@ account.coverage as wanted
from (
    select
        fetched.account_id,
        fetched.range,
        count(*) as times_tried,
        min(fetched.finished_at) as first_tried_at,
        max(fetched.finished_at) as last_tried_at,
        (array_agg(fetched.error order by fetched.finished_at desc, fetched.id desc))[1] as error
    from smartassist_sync.windows as fetched
    join smartassist_sync.accounts as account on account.account_id = fetched.account_id
    where
        fetched.status = 'gap'
        -- Other filters may fit where these did not.
        and fetched.started_at >= coalesce(account.filters_changed_at, '-infinity')
        and not fetched.range <@ account.coverage
    group by fetched.account_id, fetched.range
) as tried
join smartassist_sync.accounts as account on account.account_id = tried.account_id;

comment on view smartassist_sync.gaps is
    'Open gaps: stretches of which the API shows not all records, even in the smallest part, and which are not covered since. What was reachable is stored. Gaps read with earlier filters are not listed.';
comment on column smartassist_sync.gaps.account_id is
    'The SmartAssist account.';
comment on column smartassist_sync.gaps.range is
    'The stretch of time, half-open.';
comment on column smartassist_sync.gaps.times_tried is
    'How often it was fetched without success.';
comment on column smartassist_sync.gaps.first_tried_at is
    'Instant at which it was first found to be a gap.';
comment on column smartassist_sync.gaps.last_tried_at is
    'Instant at which it was last fetched without success.';
comment on column smartassist_sync.gaps.next_try_at is
    'Instant from which it is tried again: 15 minutes after the first try, twice as long after each further one, a day at most. By polls where it is wanted, else by a backfill alone.';
comment on column smartassist_sync.gaps.error is
    'What was wrong at the last try, without personal data.';
comment on column smartassist_sync.gaps.wanted is
    'Whether it lies in what is loaded by itself, from accounts.start_from on. Only such a gap holds the watermark and troubles the account; another was found by a backfill of the past, or has become too old.';

create view smartassist_bi.interactions as
select
    s.interaction_key,
    s.account_id,
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
    case
        when s.user_id is not null then left(encode(sha256(
            (select secret from smartassist_sync.contact_key_secret) || convert_to(s.user_id, 'UTF8')
        ), 'hex'), 32)
    end as contact_key,
    s.bot_id,
    s.final_status,
    s.smart_status,
    case when s.reason ~ '@|\d(\W*\d){6}' then '(withheld)' else s.reason end as reason,
    s.disconnecting_event,
    nullif((
        select string_agg(
            case when given.disposition ~ '@|\d(\W*\d){6}' then '(withheld)' else given.disposition end,
            ', ' order by given.place
        )
        from unnest(s.dispositions) with ordinality as given (disposition, place)
    ), '') as dispositions,
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
        where interaction_key = s.interaction_key
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
        -- A sum with a part that cannot be read is none: never smaller than the truth.
        case
            when not bool_or(a.is_answered and a.interaction_seconds is null) then sum(a.interaction_seconds) filter (where a.is_answered)
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
        where interaction_key = s.interaction_key
    ) as a
) as g
where s.missing_since is null;

comment on view smartassist_bi.interactions is
    'One row per interaction that the API still returns, with its first queue and the agents who answered. Ask for a period (session_started_at), which limits how much is read. Contains agents'' names, and of customers a keyed hash only.';
comment on column smartassist_bi.interactions.account_id is
    'The SmartAssist account that the interaction belongs to.';
comment on column smartassist_bi.interactions.interaction_key is
    'The interaction, as in smartassist.sessions.';
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
    'Seconds from the start to the end of the session; NULL without an end, or where the end is before the start. Derived.';
comment on column smartassist_bi.interactions.contact_key is
    'Tells customers apart, to count repeated contacts: a keyed hash of the customer''s identifier, the same for the same one, that says nothing of it. NULL where the API gives none. Derived from userId.';
comment on column smartassist_bi.interactions.bot_id is
    'Identifier of the bot involved. API: botId.';
comment on column smartassist_bi.interactions.final_status is
    'Completion status of the session, for example BotResolved, CLOSED or USER ABANDONED; the list is open. API: finalStatus.';
comment on column smartassist_bi.interactions.smart_status is
    'Summarised live status of the session; the list is open. API: smartStatus.';
comment on column smartassist_bi.interactions.reason is
    'Reason for the status; may also hold a disposition. "(withheld)" where it holds what looks like an e-mail address or a phone number. API: reason or Reason.';
comment on column smartassist_bi.interactions.disconnecting_event is
    'The event that ended the conversation; the list is open. API: disconnectingEvent.';
comment on column smartassist_bi.interactions.dispositions is
    'Dispositions that were assigned to the conversation, joined by commas; NULL where there are none. One row each: interaction_dispositions. API: dispositions.';
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
    'Seconds that answering agents spent on the interaction, added up; agents who worked at the same time count twice. NULL where one of them has none or one that cannot be read: a sum is never smaller than the truth. API: interactionDuration.';
comment on column smartassist_bi.interactions.after_call_work_seconds is
    'Seconds of after-call work of answering agents, added up; an agent without any counts as 0. NULL where no agent has any, or one has a value that cannot be read. API: afterCallWorkDuration.';
comment on column smartassist_bi.interactions.handle_seconds is
    'interaction_seconds plus after_call_work_seconds, where absent after-call work counts as 0. NULL where interaction_seconds is NULL, or after-call work cannot be read. Derived.';
comment on column smartassist_bi.interactions.last_changed_at is
    'Instant at which the loader last stored a changed version of the interaction, or found that it came back after it was missing; for incremental extracts. Interactions that went missing leave the view. Not an API field.';

create view smartassist_bi.agent_handling as
select
    a.interaction_key,
    s.account_id,
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
            c.interaction_key = a.interaction_key
            and c.destination_index = a.destination_index
            and c.segment_index = a.segment_index
    ) as consultation_count,
    a.agent_chose_translate
from smartassist.agent_segments as a
join smartassist.sessions as s on s.interaction_key = a.interaction_key
-- The foreign key promises exactly one destination. Written as an outer join, the planner leaves it out of queries that ask for no queue.
left join smartassist.destinations as d
    on d.interaction_key = a.interaction_key and d.destination_index = a.destination_index
where s.missing_since is null;

comment on view smartassist_bi.agent_handling is
    'One row per agent segment (an agent who was offered an interaction, or handled it) of interactions that the API still returns, with its session and queue. Ask for a period (assigned_at or session_started_at), which limits how much is read. Contains personal data of agents.';
comment on column smartassist_bi.agent_handling.account_id is
    'The SmartAssist account that the interaction belongs to.';
comment on column smartassist_bi.agent_handling.interaction_key is
    'The interaction, as in smartassist.sessions.';
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
    'Seconds from entering this queue to this agent''s acceptance; includes waiting for a callback and offers to other agents before. NULL for a direct transfer, without acceptance, or where the acceptance is before the entry. Derived.';
comment on column smartassist_bi.agent_handling.acceptance_seconds is
    'Seconds from the assignment to the agent''s acceptance; NULL without acceptance, or where it is before the assignment. Derived.';
comment on column smartassist_bi.agent_handling.first_response_seconds is
    'Seconds from the agent''s acceptance to the first response, as reckoned by the API. API: firstResponseDuration.';
comment on column smartassist_bi.agent_handling.interaction_seconds is
    'Seconds from the agent''s acceptance to the last utterance, as reckoned by the API. API: interactionDuration.';
comment on column smartassist_bi.agent_handling.after_call_work_seconds is
    'Seconds of after-call work. API: afterCallWorkDuration.';
comment on column smartassist_bi.agent_handling.handle_seconds is
    'interaction_seconds plus after_call_work_seconds, where absent after-call work counts as 0. NULL where interaction_seconds is NULL, or after-call work cannot be read. Derived.';
comment on column smartassist_bi.agent_handling.consultation_count is
    'Number of consultations that the agent made in this segment. Derived.';
comment on column smartassist_bi.agent_handling.agent_chose_translate is
    'Whether the agent chose translation; NULL where the API does not say. API: agentChoseTranslate.';

create view smartassist_bi.interaction_dispositions as
select
    s.interaction_key,
    s.account_id,
    s.channel,
    s.direction,
    s.session_started_at,
    given.position,
    case when given.disposition ~ '@|\d(\W*\d){6}' then '(withheld)' else given.disposition end as disposition,
    case when given.position = 1 then 1 else 0 end as interactions
from smartassist.sessions as s
cross join lateral unnest(s.dispositions) with ordinality as given (disposition, position)
where s.missing_since is null and given.disposition is not null;

comment on view smartassist_bi.interaction_dispositions is
    'One row per disposition of an interaction that the API still returns. Count dispositions by rows, and interactions by sum(interactions). Ask for a period (session_started_at).';
comment on column smartassist_bi.interaction_dispositions.account_id is
    'The SmartAssist account that the interaction belongs to.';
comment on column smartassist_bi.interaction_dispositions.interaction_key is
    'The interaction, as in smartassist.sessions.';
comment on column smartassist_bi.interaction_dispositions.channel is
    'Channel of the interaction. API: channel.';
comment on column smartassist_bi.interaction_dispositions.direction is
    'Direction of the interaction as sent. API: Direction.';
comment on column smartassist_bi.interaction_dispositions.session_started_at is
    'Instant at which the session started. API: sessionStartTime.';
comment on column smartassist_bi.interaction_dispositions.position is
    'Position of the disposition in the interaction, from 1. Derived.';
comment on column smartassist_bi.interaction_dispositions.disposition is
    'The disposition. "(withheld)" where it holds what looks like an e-mail address or a phone number. API: dispositions.';
comment on column smartassist_bi.interaction_dispositions.interactions is
    '1 at position 1, else 0: their sum is the number of interactions. Derived.';

-- It runs with its owner's rights, like all views here: for those who may not read the ledger.
create view smartassist_bi.data_freshness as
select
    account.account_id,
    account.name as account_name,
    account.watermark as complete_through,
    coalesce(account.settled_through, account.start_from) as settled_through,
    (
        select polled.finished_at
        from smartassist_sync.runs as polled
        where polled.account_id = account.account_id and polled.status = 'succeeded' and polled.kind in ('poll', 'sync')
        order by polled.finished_at desc
        limit 1
    ) as last_polled_at,
    (
        select count(*)
        from smartassist_sync.gaps as gap
        where gap.account_id = account.account_id and gap.wanted
    ) as open_gaps,
    (
        select count(*)
        from smartassist_sync.rejected_records as rejected
        where rejected.account_id = account.account_id and rejected.resolved_at is null
    ) as rejected_records,
    (
        select count(*)
        from smartassist.sessions as session
        where session.account_id = account.account_id and session.session_ended_at is null and session.missing_since is null
    ) as open_interactions,
    account.start_from as loaded_from
from smartassist_sync.accounts as account;

comment on view smartassist_bi.data_freshness is
    'Up to when the data of each account can be relied on. One row per account.';
comment on column smartassist_bi.data_freshness.account_id is
    'The SmartAssist account.';
comment on column smartassist_bi.data_freshness.account_name is
    'The name of the account in the configuration.';
comment on column smartassist_bi.data_freshness.complete_through is
    'Instant before which all interactions that started, and that the API showed when they were read, are loaded.';
comment on column smartassist_bi.data_freshness.settled_through is
    'Instant before which all interactions that started were read once more some time after they started (30 minutes, unless sync.late_minutes says otherwise): those that are published late are loaded up to there. Figures up to this instant hardly change any more.';
comment on column smartassist_bi.data_freshness.last_polled_at is
    'Instant at which the last look for new interactions that succeeded ended. NULL where none did yet.';
comment on column smartassist_bi.data_freshness.open_gaps is
    'Stretches of time of which the API does not show all records. 0 is right.';
comment on column smartassist_bi.data_freshness.rejected_records is
    'Records that could not become rows and wait. 0 is right.';
comment on column smartassist_bi.data_freshness.open_interactions is
    'Interactions that have no end yet.';
comment on column smartassist_bi.data_freshness.loaded_from is
    'Instant from which interactions are loaded.';

-- With its own list of the bounds: whoever reads a view needs the right to execute the functions in it. A test holds it against age_bounds().
create view smartassist_bi.change_by_age as
with bounds as (
    select
        bound as from_seconds,
        lead(bound) over (order by bound) as to_seconds
    from unnest(array[0, 900, 3600, 7200, 21600, 43200, 86400, 172800, 259200, 604800, 1209600, 2592000, 7776000]) as bound
),
named as (
    select
        from_seconds,
        case
            when from_seconds >= 86400 then from_seconds / 86400 || ' d'
            when from_seconds >= 3600 then from_seconds / 3600 || ' h'
            else from_seconds / 60 || ' min'
        end as age_from,
        case
            when to_seconds >= 86400 then to_seconds / 86400 || ' d'
            when to_seconds >= 3600 then to_seconds / 3600 || ' h'
            else to_seconds / 60 || ' min'
        end as age_to,
        round(from_seconds / 3600.0, 2) as age_from_hours,
        round(to_seconds / 3600.0, 2) as age_to_hours
    from bounds
)
select
    account.name as account_name,
    account.account_id,
    named.age_from,
    named.age_to,
    named.age_from_hours,
    named.age_to_hours,
    counted.reread,
    counted.changed,
    round(100.0 * counted.changed / nullif(counted.reread, 0), 2) as changed_percent
from smartassist_sync.changes_by_age as counted
join smartassist_sync.accounts as account on account.account_id = counted.account_id
join named on named.from_seconds = counted.age_from_seconds;

comment on view smartassist_bi.change_by_age is
    'How likely an interaction has changed when it is read again, by its age: what refresh policies are chosen by. One row per account and class of age in which anything was read again.';
comment on column smartassist_bi.change_by_age.account_name is
    'The name of the account in the configuration.';
comment on column smartassist_bi.change_by_age.account_id is
    'The SmartAssist account.';
comment on column smartassist_bi.change_by_age.age_from is
    'Lower bound of the age at reading, from the start of the session, for people (15 min, 6 h, 30 d).';
comment on column smartassist_bi.change_by_age.age_to is
    'Upper bound of the age, not included, for people. NULL for the oldest class.';
comment on column smartassist_bi.change_by_age.age_from_hours is
    'Lower bound of the age in hours.';
comment on column smartassist_bi.change_by_age.age_to_hours is
    'Upper bound of the age in hours, not included. NULL for the oldest class.';
comment on column smartassist_bi.change_by_age.reread is
    'Interactions of that age that were read again, each once a run.';
comment on column smartassist_bi.change_by_age.changed is
    'Those among them whose content had changed since it was stored.';
comment on column smartassist_bi.change_by_age.changed_percent is
    'Share of the changed ones among those read again, in percent.';
