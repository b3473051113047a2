-- The data: one row per interaction, its parts in child tables, and the record as it was received.
--
-- Rules that hold for all of these tables:
--  * interaction_key is the key, and begins the key of every child: the tables can be distributed by it, and each key also serves the foreign
--    key to the parent, so that no further index is needed for the cascade. It is the account and both ids of the API in 16 bytes.
--  * Children of an interaction that differ are replaced in one transaction, hence `on delete cascade` and no surrogate keys.
--  * Checks cover only what the loader itself decides (keys, its own enumerations) and what an index can hold (a B-tree entry holds about 2,700
--    bytes). What the API sends is never checked: one odd value must not stop a load.
--  * A list that is empty, null or absent means the same in the API, so text[] columns are never NULL.
--  * Text that identifies something is collated "C": an index on it survives an upgrade of the operating system's collations.
--  * No triggers, and no statement that joins these tables with the ledger: both would stop a database that is distributed over several nodes.

-- The key can be computed from the row. Where the session id is an object id, its first 4 bytes, seconds, come first, so that keys arrive in
-- about the order of time: at 4,000,000 rows an insert then writes 149 bytes of WAL for the key, and 3,828 with keys in no order.
create function smartassist.interaction_key(account_id text, conversation_id text, session_id text)
returns uuid
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select encode(
        case when session_id ~ '^[0-9A-Fa-f]{24}$' then decode(left(session_id, 8), 'hex') else substr(digest.bytes, 1, 4) end
        || set_byte(set_byte(
            substr(digest.bytes, 5, 12),
            2, (get_byte(digest.bytes, 6) & 15) | 128),
            4, (get_byte(digest.bytes, 8) & 63) | 128),
        'hex'
    )::uuid
    from (
        select sha256(string_agg(int4send(octet_length(part.value)) || part.value, '' order by part.place)) as bytes
        from unnest(array[
            convert_to(account_id, 'UTF8'),
            convert_to(coalesce(conversation_id, ''), 'UTF8'),
            convert_to(coalesce(session_id, ''), 'UTF8')
        ]) with ordinality as part (value, place)
    ) as digest
$$;

comment on function smartassist.interaction_key(text, text, text) is
    'The key of the interaction with these ids: SHA-256 over the three, each behind its length in bytes (4 bytes, big-endian; 0 for NULL), cut to 16 bytes with version and variant set as for UUID version 8. Of a session_id of 24 hexadecimal digits the first 8 are the first 4 bytes.';

create table smartassist.sessions (
    interaction_key uuid not null,
    account_id text collate "C" not null,
    session_id text collate "C",
    conversation_id text collate "C",
    channel text,
    direction text,
    is_voicemail boolean,
    session_started_at timestamptz not null,
    session_ended_at timestamptz,
    bot_id text collate "C",
    user_id text collate "C",
    channel_specific_user_id text collate "C",
    org_id text collate "C",
    smart_status text,
    final_status text,
    reason text,
    disconnecting_event text,
    error_details text,
    automation_bot_ids text[] not null default '{}',
    dispositions text[] not null default '{}',
    disposition_remarks text[] not null default '{}',
    skills jsonb,
    survey_type text,
    csat_score integer,
    nps_score integer,
    like_dislike_score integer,
    csat_feedback text,
    customer_phone text,
    center_phone text,
    customer_first_name text,
    customer_last_name text,
    customer_email text,
    caller text,
    callee text,
    caller_host text,
    dialed_number text,
    ip_address text,
    host_domain text,
    os text,
    last_intent_name text,
    last_intent_user_input text,
    campaign_id text collate "C",
    campaign_name text,
    campaign_instance_id text collate "C",
    campaign_dialing_list_id text collate "C",
    campaign_attempt integer,
    campaign_contact_status text,
    campaign_run_at timestamptz,
    campaign_contact_lists text[] not null default '{}',
    meta_info jsonb,
    extra jsonb,
    warnings text[] not null default '{}',
    content_hash bytea not null,
    first_seen_at timestamptz not null,
    last_changed_at timestamptz not null,
    missing_since timestamptz,
    is_shadow boolean not null default false,
    customer_hints integer[] not null default '{}',
    constraint sessions_pkey primary key (interaction_key),
    constraint sessions_account_id_fits_key check (octet_length(account_id) between 1 and 512),
    constraint sessions_has_an_id check (num_nonnulls(session_id, conversation_id) > 0),
    constraint sessions_ids_fit_index check (octet_length(session_id) between 1 and 512 and octet_length(conversation_id) between 1 and 512)
)
-- Most records change a few times (end of session, after-call work, survey). The free room lets such an update stay on its page and leave the
-- indexes alone: measured on a tenth of 60,000 rows, 92 of 100 updates did, and none without it.
with (fillfactor = 85);
create index sessions_by_account_open on smartassist.sessions (account_id, session_started_at) where session_ended_at is null;
-- The id first: while an account is first loaded there are no statistics, and by an account alone all of its rows would be read.
create index sessions_by_conversation on smartassist.sessions (conversation_id, account_id);
-- Without a pending list (fastupdate), which every search would read.
create index sessions_by_customer_hint on smartassist.sessions using gin (customer_hints) with (fastupdate = off);
create index sessions_by_session on smartassist.sessions (session_id, account_id);
create index sessions_by_started_at on smartassist.sessions (session_started_at, account_id);

comment on table smartassist.sessions is
    'One row per interaction, in the latest version that the loader saw: what changed after the last refresh of its window is not in it yet. A bot-only session and a conversation with agents are both interactions. Rows whose missing_since is not NULL are no longer returned by the API; queries on this table decide for themselves whether they count (the views leave them out). Contains personal data.';
comment on column smartassist.sessions.interaction_key is
    'Identity of the interaction, made of account_id, conversation_id and session_id by smartassist.interaction_key(): the same three always give the same key. The key.';
comment on column smartassist.sessions.account_id is
    'The SmartAssist account that the interaction belongs to, as configured.';
comment on column smartassist.sessions.session_id is
    'Identifier of the session, generated by the bot; at most 512 bytes. API: sessionId.';
comment on column smartassist.sessions.conversation_id is
    'Identifier of the conversation, generated by SmartAssist; at most 512 bytes. NULL for a session that only a bot handled. Several sessions may be of one conversation. API: conversationId.';
comment on column smartassist.sessions.channel is
    'Channel of the interaction, for example Voice, Web/Mobile Client or System Mail. The list is open. API: channel.';
comment on column smartassist.sessions.direction is
    'Direction of the interaction as sent, seen as Inbound and Outbound. Often absent for bot-only sessions. API: Direction, or customerinfo.Direction.';
comment on column smartassist.sessions.is_voicemail is
    'Whether the session was a voicemail. NULL where the API does not say. API: isVoicemail (YES, NO or a boolean).';
comment on column smartassist.sessions.session_started_at is
    'Instant at which the session started. Where the API does not say so, the instant that a sessionId of 24 hexadecimal digits begins with, and a warning. API: sessionStartTime.';
comment on column smartassist.sessions.session_ended_at is
    'Instant at which the session ended; NULL while it is open, also where the API says TRANSIENT_OPEN with an end that is the start. Can be earlier than the end of its last agent. API: sessionEndTime.';
comment on column smartassist.sessions.bot_id is
    'Identifier of the bot involved. API: botId.';
comment on column smartassist.sessions.user_id is
    'Identifier of the customer, generated by SmartAssist. Personal data. API: userId.';
comment on column smartassist.sessions.channel_specific_user_id is
    'Identifier of the customer on the channel, in no known format; often an e-mail address. Personal data. API: channelSpecificUserId.';
comment on column smartassist.sessions.org_id is
    'Identifier of the organization. API: orgId.';
comment on column smartassist.sessions.smart_status is
    'The summarised live status of the session, for example CLOSED AT BOT, CLOSED, TERMINATED or ABANDONED WITH AGENT. The list is open. API: smartStatus.';
comment on column smartassist.sessions.final_status is
    'The completion status of the session, for example BotResolved, CLOSED or USER ABANDONED. The list is open. API: finalStatus.';
comment on column smartassist.sessions.reason is
    'Reason for the status; can also hold a disposition, or a queue and the name of an agent. API: reason or Reason.';
comment on column smartassist.sessions.disconnecting_event is
    'The event that ended the conversation, for example Agent Hangup, Bot Hangup, User Hangup, System Hangup or Agent Closed. The list is open. API: disconnectingEvent.';
comment on column smartassist.sessions.error_details is
    'Details of an error that occurred in the session. API: errorDetails.';
comment on column smartassist.sessions.automation_bot_ids is
    'Identifiers of the automation bots involved, in the order sent; empty where there are none. API: automationBotIDs.';
comment on column smartassist.sessions.dispositions is
    'Dispositions that were assigned to the conversation, in the order sent; empty where there are none. API: dispositions.';
comment on column smartassist.sessions.disposition_remarks is
    'Remarks on the dispositions, free text by agents or generated summaries; empty where there are none. May contain anything that was said. Personal data. API: dispositionRemarks.';
comment on column smartassist.sessions.skills is
    'Skills that the conversation asked for, as sent: mostly an array of objects with id and name. NULL where there are none. API: skills.';
comment on column smartassist.sessions.survey_type is
    'Kind of survey the customer answered: csat, nps or likeDislike. The list is open. API: surveyType.';
comment on column smartassist.sessions.csat_score is
    'Customer satisfaction score. Its scale is set in the product and is not part of the record. API: csatScore.';
comment on column smartassist.sessions.nps_score is
    'Net promoter score, documented as 0 to 10. API: npsScore.';
comment on column smartassist.sessions.like_dislike_score is
    'Thumbs up or down: documented as 1 for like and 0 for dislike. API: likeDislikeScore.';
comment on column smartassist.sessions.csat_feedback is
    'What the customer wrote in the survey. Free text. Personal data. API: csatFeedback.';
comment on column smartassist.sessions.customer_phone is
    'Phone number of the customer, as sent. Personal data. API: customerinfo.CustomerPhone, at the top level or in metaInfo.';
comment on column smartassist.sessions.center_phone is
    'Phone number of the contact centre, as sent. API: customerinfo.CenterPhone, at the top level or in metaInfo.';
comment on column smartassist.sessions.customer_first_name is
    'First name of the customer. Personal data. API: customerinfo.CustomerFirstName, at the top level or in metaInfo.';
comment on column smartassist.sessions.customer_last_name is
    'Last name of the customer. Personal data. API: customerinfo.CustomerLastName, at the top level or in metaInfo.';
comment on column smartassist.sessions.customer_email is
    'E-mail address of the customer. Personal data. API: customerinfo.CustomerEmail, at the top level or in metaInfo.';
comment on column smartassist.sessions.caller is
    'Phone number of the caller, as sent; for an outbound call that may be the centre. Personal data. API: metaInfo.caller.';
comment on column smartassist.sessions.callee is
    'Phone number that received the call, as sent; for an outbound call that may be the customer. Personal data. API: metaInfo.callee.';
comment on column smartassist.sessions.caller_host is
    'Network address that the call came from, documented as the IP address of the caller. Personal data. API: metaInfo.callerHost.';
comment on column smartassist.sessions.dialed_number is
    'Number that was dialed, as sent; for an outbound call that may be the customer''s. Personal data. API: metaInfo.dialedNumber.';
comment on column smartassist.sessions.ip_address is
    'IP address that the customer used, as sent; it may carry a port. Personal data. API: metaInfo.ipAddress.';
comment on column smartassist.sessions.host_domain is
    'Domain of the platform instance that handled the interaction. API: metaInfo.hostDomain.';
comment on column smartassist.sessions.os is
    'Operating system of the customer''s device. API: metaInfo.os.';
comment on column smartassist.sessions.last_intent_name is
    'The last intent that the bot recognised before the transfer to an agent. API: metaInfo.agentTransferConfig.lastIntentName.';
comment on column smartassist.sessions.last_intent_user_input is
    'What the customer said or wrote for the last intent. Free text. Personal data. API: metaInfo.agentTransferConfig.lastIntentuserInput.';
comment on column smartassist.sessions.campaign_id is
    'Identifier of the campaign that the interaction belongs to. API: campaigninfo.campaignId.';
comment on column smartassist.sessions.campaign_name is
    'Name of the campaign that the interaction belongs to. API: campaigninfo.campaignName.';
comment on column smartassist.sessions.campaign_instance_id is
    'Identifier of the run of the campaign. API: campaigninfo.campaignInstanceId.';
comment on column smartassist.sessions.campaign_dialing_list_id is
    'Identifier of the campaign''s dialing list. API: campaigninfo.campaignDialingListId.';
comment on column smartassist.sessions.campaign_attempt is
    'Number of the attempt to reach the contact. Whether counting starts at 0 or 1 is not documented. API: campaigninfo.attempt.';
comment on column smartassist.sessions.campaign_contact_status is
    'Status of the contact in the campaign. The list is open. API: campaigninfo.contactStatus.';
comment on column smartassist.sessions.campaign_run_at is
    'Instant of the run of the campaign. API: campaigninfo.campaignRunDate.';
comment on column smartassist.sessions.campaign_contact_lists is
    'Names of the contact lists that the campaign used; empty where there are none. API: campaigninfo.contactListName.';
comment on column smartassist.sessions.meta_info is
    'metaInfo as sent, also the fields that have a column of their own. NULL where there is none. Set by the customer''s own automation, so it may contain anything. Personal data. API: metaInfo.';
comment on column smartassist.sessions.extra is
    'Top-level fields of the record that have no column, or could not be read as their column (see warnings), as sent. NULL when nothing is left over. May contain personal data.';
comment on column smartassist.sessions.warnings is
    'Fields that could not be read and are therefore NULL, each as "path: why"; empty when every field was read. Not an API field.';
comment on column smartassist.sessions.content_hash is
    'Three digests of 16 bytes, of SHA-256 over the rows that the record gives and the version of the rules that make them: of the session, of its destinations with all below them, and of its tags. Only what differs is written again. Not an API field.';
comment on column smartassist.sessions.first_seen_at is
    'Instant at which the loader first stored the interaction. Not an API field.';
comment on column smartassist.sessions.last_changed_at is
    'Instant at which the loader last stored a changed version of the interaction, or found that it went missing or came back. Use it to read what changed since a given instant. Not an API field.';
comment on column smartassist.sessions.missing_since is
    'Instant from which the API no longer returned the interaction, set once two drained windows in which it lies wholly have missed it; or at which a bot-only session was found to live on under a conversationId. NULL for interactions that the API still returns; it becomes NULL again if the API sends the interaction again. Not an API field.';
comment on column smartassist.sessions.is_shadow is
    'Whether the record is one that the agent''s assistant left beside a conversation, and so no contact of its own: its channel is agentassist or AgentAssistV2, its channelSpecificUserId is <account>/agentassist/<conversation>, or metaInfo.customData.isAgentAssistOnly says so and it never came to a queue or an agent. The conversation is split_part(channel_specific_user_id, ''/'', 3). Decided by the loader.';
comment on column smartassist.sessions.customer_hints is
    'By which erase finds the interactions of a customer: 32 bits of a hash of each number, address and id of the customer as it is stored. Others may share one. Not an API field.';
comment on index smartassist.sessions_by_account_open is
    'Serves: which sessions have no end yet.';
comment on index smartassist.sessions_by_conversation is
    'Serves: the interactions of one conversation.';
comment on index smartassist.sessions_by_customer_hint is
    'Serves: erase.';
comment on index smartassist.sessions_by_session is
    'Serves: the interactions of one session.';
comment on index smartassist.sessions_by_started_at is
    'Serves: sessions of a period, of one account or of all.';

create table smartassist.destinations (
    interaction_key uuid not null,
    destination_index integer not null,
    destination_type text,
    queue_id text collate "C",
    queue_name text,
    callback_opted boolean,
    callback_opted_at timestamptz,
    callback_accepted_at timestamptz,
    entered_at timestamptz,
    extra jsonb,
    constraint destinations_pkey primary key (interaction_key, destination_index),
    constraint destinations_session_fkey foreign key (interaction_key)
        references smartassist.sessions (interaction_key) on delete cascade,
    constraint destinations_index_from_zero check (destination_index >= 0),
    constraint destinations_queue_id_fits_index check (octet_length(queue_id) <= 512)
);
create index destinations_by_time on smartassist.destinations using brin (entered_at) with (pages_per_range = 16, autosummarize = on);

comment on table smartassist.destinations is
    'One row per queue or agent that the interaction was sent to, in the order that the API lists them. A bot-only session has none. Contains personal data in extra at most.';
comment on column smartassist.destinations.interaction_key is
    'The interaction, as in smartassist.sessions. Part of the key.';
comment on column smartassist.destinations.destination_index is
    'Position in the API''s destinations array, from 0. Part of the key.';
comment on column smartassist.destinations.destination_type is
    'Kind of destination: QueueEntry for a queue, AgentSegment for a transfer directly to an agent. The list is open. API: destinations[].destinationType.';
comment on column smartassist.destinations.queue_id is
    'Identifier of the queue. NULL for a direct transfer to an agent. API: destinations[].queueId.';
comment on column smartassist.destinations.queue_name is
    'Name of the queue at the time of the fetch; different queues can share a name. API: destinations[].queueName.';
comment on column smartassist.destinations.callback_opted is
    'Whether the customer asked to be called back. API: destinations[].CallbackOpted.';
comment on column smartassist.destinations.callback_opted_at is
    'Instant at which the customer asked to be called back. API: destinations[].CallbackOptedTime.';
comment on column smartassist.destinations.callback_accepted_at is
    'Instant at which the customer accepted the callback. API: destinations[].userCallbackAcceptTime.';
comment on column smartassist.destinations.entered_at is
    'Instant at which the interaction entered the queue. Mostly NULL for a direct transfer to an agent. API: destinations[].EnterTime.';
comment on column smartassist.destinations.extra is
    'Fields of the destination that have no column, or could not be read as their column, as sent. NULL when nothing is left over. May contain personal data.';
comment on index smartassist.destinations_by_time is
    'Serves: what came into the queues in a period.';

create table smartassist.agent_segments (
    interaction_key uuid not null,
    destination_index integer not null,
    segment_index integer not null,
    response text not null,
    agent_id text collate "C",
    agent_name text,
    agent_email text,
    status text,
    assigned_at timestamptz,
    accepted_at timestamptz,
    first_responded_at timestamptz,
    first_response_seconds integer,
    interaction_ended_at timestamptz,
    interaction_seconds integer,
    hold_seconds integer,
    after_call_work_seconds integer,
    after_call_work_ended_at timestamptz,
    non_response_event text,
    agent_notes text[] not null default '{}',
    snooze_info jsonb,
    agent_chose_translate boolean,
    extra jsonb,
    constraint agent_segments_pkey primary key (interaction_key, destination_index, segment_index),
    constraint agent_segments_destination_fkey foreign key (interaction_key, destination_index)
        references smartassist.destinations (interaction_key, destination_index) on delete cascade,
    constraint agent_segments_agent_id_fits_index check (octet_length(agent_id) <= 512),
    constraint agent_segments_index_from_zero check (segment_index >= 0),
    constraint agent_segments_response_known check (response in ('responding', 'non_responding', 'direct'))
);
create index agent_segments_by_time on smartassist.agent_segments using brin (assigned_at) with (pages_per_range = 16, autosummarize = on);

comment on table smartassist.agent_segments is
    'One row per agent who was offered a destination or handled it. Within a destination the non-responding agents come first, in the order that the API lists them, then the responding one. Contains personal data of agents, and of customers in free text.';
comment on column smartassist.agent_segments.interaction_key is
    'The interaction, as in smartassist.sessions. Part of the key.';
comment on column smartassist.agent_segments.destination_index is
    'The destination, as in smartassist.destinations. Part of the key.';
comment on column smartassist.agent_segments.segment_index is
    'Position among the agents of the destination, from 0. Part of the key.';
comment on column smartassist.agent_segments.response is
    'Where the segment stood in the record: responding (respondingAgent), non_responding (an element of nonRespondingAgents) or direct (the destination itself was the segment). Decided by the loader.';
comment on column smartassist.agent_segments.agent_id is
    'Identifier of the agent. Personal data. API: destinations[].respondingAgent.agentId, destinations[].nonRespondingAgents[].agentId or destinations[].agentId; the same three places hold for every column of this table.';
comment on column smartassist.agent_segments.agent_name is
    'Name of the agent. Personal data. API: destinations[].respondingAgent.name.';
comment on column smartassist.agent_segments.agent_email is
    'E-mail address of the agent. Personal data. API: destinations[].respondingAgent.email.';
comment on column smartassist.agent_segments.status is
    'Status of the conversation with this agent, for example Answered. The list is open. API: destinations[].respondingAgent.status.';
comment on column smartassist.agent_segments.assigned_at is
    'Instant at which the conversation was assigned to the agent. API: destinations[].respondingAgent.assignedAt.';
comment on column smartassist.agent_segments.accepted_at is
    'Instant at which the agent accepted the conversation. NULL for an agent who did not respond. API: destinations[].respondingAgent.acceptedTime.';
comment on column smartassist.agent_segments.first_responded_at is
    'Instant of the agent''s first response. Can be absent. API: destinations[].respondingAgent.firstResponseTime.';
comment on column smartassist.agent_segments.first_response_seconds is
    'Seconds from the agent''s acceptance to the first response, as reckoned by the API. API: destinations[].respondingAgent.firstResponseDuration.';
comment on column smartassist.agent_segments.interaction_ended_at is
    'Instant at which the interaction with this agent ended. Can be later than the end of the session. API: destinations[].respondingAgent.interactionEndTime.';
comment on column smartassist.agent_segments.interaction_seconds is
    'Seconds from the agent''s acceptance to the last utterance, as reckoned by the API. Need not equal interaction_ended_at less accepted_at. API: destinations[].respondingAgent.interactionDuration.';
comment on column smartassist.agent_segments.hold_seconds is
    'Seconds for which the agent put the customer on hold. API: destinations[].respondingAgent.holdDuration.';
comment on column smartassist.agent_segments.after_call_work_seconds is
    'Seconds of after-call work. API: destinations[].respondingAgent.afterCallWorkDuration.';
comment on column smartassist.agent_segments.after_call_work_ended_at is
    'Instant at which the agent completed the after-call work. Can be later than the end of the session. API: destinations[].respondingAgent.afterCallWorkEndTime.';
comment on column smartassist.agent_segments.non_response_event is
    'Why the agent did not respond, for example Ignored or Supervisor Reassigned. The list is open. API: destinations[].nonRespondingAgents[].nonResponseEvent.';
comment on column smartassist.agent_segments.agent_notes is
    'Notes of the agent, or generated summaries; empty where there are none. Free text. Personal data. API: destinations[].respondingAgent.agentNotes.';
comment on column smartassist.agent_segments.snooze_info is
    'Snoozes of the conversation, as sent, but with time stamps in UTC. NULL where there are none. API: destinations[].respondingAgent.snoozeinfo.';
comment on column smartassist.agent_segments.agent_chose_translate is
    'Whether the agent chose translation. NULL where the API does not say. API: destinations[].respondingAgent.agentChoseTranslate.';
comment on column smartassist.agent_segments.extra is
    'Fields of the segment that have no column, or could not be read as their column, as sent. NULL when nothing is left over. May contain personal data.';
comment on index smartassist.agent_segments_by_time is
    'Serves: what was given to the agents in a period.';

create table smartassist.consultations (
    interaction_key uuid not null,
    destination_index integer not null,
    segment_index integer not null,
    consultation_index integer not null,
    consultant_name text,
    consultant_agent_id text collate "C",
    consultant_email text,
    is_merged boolean,
    assigned_at timestamptz,
    accepted_at timestamptz,
    ended_at timestamptz,
    extra jsonb,
    constraint consultations_pkey primary key (interaction_key, destination_index, segment_index, consultation_index),
    constraint consultations_agent_segment_fkey foreign key (interaction_key, destination_index, segment_index)
        references smartassist.agent_segments (interaction_key, destination_index, segment_index) on delete cascade,
    constraint consultations_consultant_agent_id_fits_index check (octet_length(consultant_agent_id) <= 512),
    constraint consultations_index_from_zero check (consultation_index >= 0)
);

comment on table smartassist.consultations is
    'One row per consultation: another agent, or an outside number, whom the agent of a segment brought in. Contains personal data.';
comment on column smartassist.consultations.interaction_key is
    'The interaction, as in smartassist.sessions. Part of the key.';
comment on column smartassist.consultations.destination_index is
    'The destination, as in smartassist.destinations. Part of the key.';
comment on column smartassist.consultations.segment_index is
    'The agent segment, as in smartassist.agent_segments. Part of the key.';
comment on column smartassist.consultations.consultation_index is
    'Position in the API''s ConsultingAgents array, from 0. Part of the key.';
comment on column smartassist.consultations.consultant_name is
    'Name of the consultant, or the phone number of an outside one. Personal data. API: destinations[].respondingAgent.ConsultingAgents[].name.';
comment on column smartassist.consultations.consultant_agent_id is
    'Identifier of the consultant, where it is an agent of the centre. Personal data. API: destinations[].respondingAgent.ConsultingAgents[].agentId.';
comment on column smartassist.consultations.consultant_email is
    'E-mail address of the consultant, where it is an agent of the centre. Personal data. API: destinations[].respondingAgent.ConsultingAgents[].email.';
comment on column smartassist.consultations.is_merged is
    'Whether the consultant was merged into the conversation; the API documents it as "merged with another" without more detail. API: destinations[].respondingAgent.ConsultingAgents[].isMerged.';
comment on column smartassist.consultations.assigned_at is
    'Instant at which the consultation was assigned. API: destinations[].respondingAgent.ConsultingAgents[].assignedAt.';
comment on column smartassist.consultations.accepted_at is
    'Instant at which the consultant accepted. API: destinations[].respondingAgent.ConsultingAgents[].acceptedTime.';
comment on column smartassist.consultations.ended_at is
    'Instant at which the consultation ended. API: destinations[].respondingAgent.ConsultingAgents[].consultingEndTime.';
comment on column smartassist.consultations.extra is
    'Fields of the consultation that have no column, or could not be read as their column, as sent. NULL when nothing is left over. May contain personal data.';

create table smartassist.joined_users (
    interaction_key uuid not null,
    destination_index integer not null,
    segment_index integer not null,
    user_index integer not null,
    agent_id text collate "C",
    name text,
    email text,
    joined_at timestamptz,
    left_at timestamptz,
    extra jsonb,
    constraint joined_users_pkey primary key (interaction_key, destination_index, segment_index, user_index),
    constraint joined_users_agent_segment_fkey foreign key (interaction_key, destination_index, segment_index)
        references smartassist.agent_segments (interaction_key, destination_index, segment_index) on delete cascade,
    constraint joined_users_agent_id_fits_index check (octet_length(agent_id) <= 512),
    constraint joined_users_index_from_zero check (user_index >= 0)
);

comment on table smartassist.joined_users is
    'One row per user who joined the conversation of an agent segment. Contains personal data of agents.';
comment on column smartassist.joined_users.interaction_key is
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

create table smartassist.tags (
    interaction_key uuid not null,
    tag_scope text collate "C" not null,
    tag_index integer not null,
    name text,
    value text,
    extra jsonb,
    constraint tags_pkey primary key (interaction_key, tag_scope, tag_index),
    constraint tags_session_fkey foreign key (interaction_key)
        references smartassist.sessions (interaction_key) on delete cascade,
    constraint tags_index_from_zero check (tag_index >= 0),
    constraint tags_scope_known check (tag_scope in ('user', 'session'))
);
create index tags_by_name_value on smartassist.tags using brin (name text_bloom_ops (n_distinct_per_range='100'), value text_bloom_ops (n_distinct_per_range='-0.3')) with (pages_per_range='32', autosummarize='on');

comment on table smartassist.tags is
    'One row per tag of an interaction. Tags are set by the customer''s own automation, so that names and values can be anything. Contains personal data.';
comment on column smartassist.tags.interaction_key is
    'The interaction, as in smartassist.sessions. Part of the key.';
comment on column smartassist.tags.tag_scope is
    'user for a tag of the customer''s profile (API: userleveltags), session for a tag of this session (API: sessionleveltags). Part of the key.';
comment on column smartassist.tags.tag_index is
    'Position in the API''s array of that scope, from 0. Part of the key.';
comment on column smartassist.tags.name is
    'Name of the tag; not unique within an interaction. API: userleveltags[].name or sessionleveltags[].name.';
comment on column smartassist.tags.value is
    'Value of the tag, of any length; a value that is not text is its JSON text. Personal data. API: userleveltags[].value or sessionleveltags[].value.';
comment on column smartassist.tags.extra is
    'Fields of the tag that have no column, or could not be read as their column, as sent. NULL when nothing is left over. May contain personal data.';
comment on index smartassist.tags_by_name_value is
    'Serves: interactions that carry a tag of this name and value. Bloom filters over ranges of pages, so that a value of any length can be stored.';

create table smartassist.raw_interactions (
    interaction_key uuid not null,
    payload jsonb not null,
    time_zone_offset integer not null,
    fetched_at timestamptz not null,
    constraint raw_interactions_pkey primary key (interaction_key),
    constraint raw_interactions_session_fkey foreign key (interaction_key)
        references smartassist.sessions (interaction_key) on delete cascade
);

comment on table smartassist.raw_interactions is
    'The record of each interaction as it was received, after the privacy rules, in the latest version that the loader saw. Written together with the rows: an interaction that was stored while keeping it was switched off has none until it is read again. Rows can be rebuilt from it without asking the API again. Contains personal data.';
comment on column smartassist.raw_interactions.interaction_key is
    'The interaction, as in smartassist.sessions. The key.';
comment on column smartassist.raw_interactions.payload is
    'The record as received, after the privacy rules. Characters that PostgreSQL cannot store are replaced by U+FFFD. Personal data. API: data[].';
comment on column smartassist.raw_interactions.time_zone_offset is
    'Minutes that were sent as timeZoneOffset when the record was asked for, negative east of Greenwich: stamps without a zone in the payload are local at that offset, and UTC is local plus the offset. API: timeZoneOffset of the request.';
comment on column smartassist.raw_interactions.fetched_at is
    'Instant at which this version of the record was fetched, or stored by retry-rejected. Not an API field.';

-- A compressed payload stays beside its key where a page has room for it: rows are read whole.
alter table smartassist.raw_interactions alter column payload set storage main;

-- The large columns are compressed by lz4, which takes less time than the default, where the server was built with it. Not all are.
do $$
begin
    if exists (select from pg_settings where name = 'default_toast_compression' and 'lz4' = any (enumvals)) then
        alter table smartassist.sessions alter column meta_info set compression lz4, alter column extra set compression lz4;
        alter table smartassist.raw_interactions alter column payload set compression lz4;
    end if;
end
$$;

-- The planner keeps samples of what ANALYZE saw, which whoever reads the tables may read, and they stay when a row is deleted. So it keeps none of
-- what may be personal (docs/privacy.md).
alter table smartassist.sessions
    alter column user_id set statistics 0, alter column channel_specific_user_id set statistics 0, alter column reason set statistics 0,
    alter column error_details set statistics 0, alter column disposition_remarks set statistics 0, alter column csat_feedback set statistics 0,
    alter column customer_phone set statistics 0, alter column center_phone set statistics 0, alter column customer_first_name set statistics 0,
    alter column customer_last_name set statistics 0, alter column customer_email set statistics 0, alter column caller set statistics 0,
    alter column callee set statistics 0, alter column caller_host set statistics 0, alter column dialed_number set statistics 0,
    alter column ip_address set statistics 0, alter column host_domain set statistics 0, alter column last_intent_user_input set statistics 0,
    alter column meta_info set statistics 0, alter column extra set statistics 0;
alter table smartassist.destinations alter column extra set statistics 0;
alter table smartassist.agent_segments
    alter column agent_id set statistics 0, alter column agent_name set statistics 0, alter column agent_email set statistics 0,
    alter column agent_notes set statistics 0, alter column snooze_info set statistics 0, alter column extra set statistics 0;
alter table smartassist.consultations
    alter column consultant_name set statistics 0, alter column consultant_agent_id set statistics 0, alter column consultant_email set statistics 0,
    alter column extra set statistics 0;
alter table smartassist.joined_users
    alter column agent_id set statistics 0, alter column name set statistics 0, alter column email set statistics 0,
    alter column extra set statistics 0;
alter table smartassist.tags alter column value set statistics 0, alter column extra set statistics 0;
alter table smartassist.raw_interactions alter column payload set statistics 0;
