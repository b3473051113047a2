-- Facts: what reports are counted from, one row for each stay in a queue, offer to an agent, interaction and contact.
--
-- They hold nothing that is not in the data; the loader makes them, and writes them in the transaction that writes the data. They hold seconds and instants; thresholds (service level, short abandon) are applied by the views of smartassist_bi, so that
-- another threshold holds for the past at once. Interactions that the API no longer returns have no facts, and neither have the shadows that the
-- agent's assistant leaves beside a conversation.
--
-- Local times are those of the account's time zone as plain timestamps, since BI tools group and show what they are given. A quarter of an hour
-- is the smallest step by which the zones of the world differ.
--
-- Facts are written about in the order of time, so that ranges of pages tell where a period is: an index of a few kilobytes.

create table smartassist.reporting (
    account_id text collate "C" not null,
    time_zone text not null default 'UTC',
    service_level_seconds integer not null default 20,
    service_level_seconds_by_channel jsonb,
    short_abandon_seconds integer not null default 5,
    repeat_contact_days integer not null default 7,
    week_starts_on integer not null default 1,
    shown_tags text[] not null default '{}',
    rebuild_from timestamptz,
    rebuild_after uuid,
    constraint reporting_pkey primary key (account_id),
    constraint reporting_account_id_fits_key check (octet_length(account_id) between 1 and 512),
    constraint reporting_week_starts_on_a_day check (week_starts_on between 1 and 7)
);

comment on table smartassist.reporting is
    'What reports on each account are made with, from reporting.* of the configuration. The loader writes it; a change here is undone at its next start.';
comment on column smartassist.reporting.account_id is 'The SmartAssist account.';
comment on column smartassist.reporting.time_zone is 'IANA name of the time zone of local times and dates. A change makes all facts anew.';
comment on column smartassist.reporting.service_level_seconds is 'Seconds from the entry into the queue within which an answer is within target.';
comment on column smartassist.reporting.service_level_seconds_by_channel is 'Seconds within which an answer is within target of channels that have their own, by the name of the channel. NULL where none has.';
comment on column smartassist.reporting.short_abandon_seconds is 'Seconds from the entry into the queue within which an abandon is a short one.';
comment on column smartassist.reporting.repeat_contact_days is 'Days after the end of a contact in which the customer must not come back for it to count as resolved.';
comment on column smartassist.reporting.week_starts_on is 'First day of the week, 1 for Monday to 7 for Sunday.';
comment on column smartassist.reporting.shown_tags is 'Names of the tags whose values BI tools are shown. All others are withheld: anything can stand in a tag.';
comment on column smartassist.reporting.rebuild_from is
    'While facts are made anew, in order of their start: the start of the last interaction whose facts are. NULL where all facts are as they should be.';
comment on column smartassist.reporting.rebuild_after is
    'The last of those that started at that instant.';

create table smartassist.queues (
    account_id text collate "C" not null,
    queue_key text collate "C" not null,
    queue_id text collate "C",
    queue_name text not null,
    queue_label text not null,
    last_seen_at timestamptz not null,
    constraint queues_pkey primary key (account_id, queue_key)
);

comment on table smartassist.queues is 'One row per queue that an interaction entered, with the name that it had last.';
comment on column smartassist.queues.account_id is 'The SmartAssist account. Part of the key.';
comment on column smartassist.queues.queue_key is 'The queue: its identifier, or its name where the API gives none, or (unknown). Part of the key.';
comment on column smartassist.queues.queue_id is 'Identifier of the queue. NULL where the API gives none. API: destinations[].queueId.';
comment on column smartassist.queues.queue_name is 'The last name of the queue, or its key where it has none. Several queues can share one. API: destinations[].queueName.';
comment on column smartassist.queues.queue_label is 'The name, and the end of the identifier where several queues share the name: no two queues of an account have the same.';
comment on column smartassist.queues.last_seen_at is 'Instant of the last entry into it.';

create table smartassist.agents (
    account_id text collate "C" not null,
    agent_key text collate "C" not null,
    agent_id text collate "C",
    agent_name text not null,
    agent_label text not null,
    last_seen_at timestamptz not null,
    constraint agents_pkey primary key (account_id, agent_key)
);

comment on table smartassist.agents is 'One row per agent whom an interaction was offered to, with the name that he or she had last. Contains personal data of agents.';
comment on column smartassist.agents.account_id is 'The SmartAssist account. Part of the key.';
comment on column smartassist.agents.agent_key is 'The agent: the identifier, or the name where the API gives none, or (unknown). Part of the key. Personal data.';
comment on column smartassist.agents.agent_id is 'Identifier of the agent. NULL where the API gives none. Personal data. API: agentId.';
comment on column smartassist.agents.agent_name is 'The last name of the agent, or the key where there is none. Several agents can share one. Personal data. API: name.';
comment on column smartassist.agents.agent_label is 'The name, and the end of the identifier where several agents share the name: no two agents of an account have the same. Personal data.';
comment on column smartassist.agents.last_seen_at is 'Instant of the last offer to the agent.';

create table smartassist.fact_queue_visits (
    interaction_key uuid not null,
    destination_index integer not null,
    account_id text collate "C" not null,
    entered_quarter_local timestamp not null,
    entered_on date not null,
    entered_quarter timestamptz not null,
    entered_at timestamptz,
    session_started_at timestamptz not null,
    conversation_id text collate "C",
    channel text not null,
    direction text not null,
    campaign_name text,
    last_intent_name text,
    visit_number integer not null,
    queue_key text collate "C" not null,
    previous_queue_key text collate "C",
    next_queue_key text collate "C",
    outcome text not null,
    answered_at timestamptz,
    left_at timestamptz,
    wait_seconds bigint,
    agent_key text collate "C",
    transferred_out integer not null,
    callback_opted integer not null,
    callback_connected integer not null,
    callback_asked_seconds bigint,
    callback_seconds bigint,
    constraint fact_queue_visits_pkey primary key (interaction_key, destination_index)
);
create index fact_queue_visits_by_time on smartassist.fact_queue_visits using brin (entered_quarter_local, entered_on) with (pages_per_range = 16, autosummarize = on);

comment on table smartassist.fact_queue_visits is
    'One row per stay of an interaction in a queue. The same stay in several records of one conversation counts once, in the record that began last.';
comment on column smartassist.fact_queue_visits.interaction_key is 'The interaction, as in smartassist.sessions.';
comment on column smartassist.fact_queue_visits.destination_index is 'The destination that the stay is, as in smartassist.destinations. Part of the key.';
comment on column smartassist.fact_queue_visits.account_id is 'The SmartAssist account.';
comment on column smartassist.fact_queue_visits.entered_quarter_local is
    'Local quarter of an hour in which the queue was entered (or the session started, where the API gives no entry). Group and filter by it, and do not convert it.';
comment on column smartassist.fact_queue_visits.entered_on is 'Local date of the entry.';
comment on column smartassist.fact_queue_visits.entered_quarter is
    'The same quarter of an hour as an instant: it tells the two apart that have one local name when clocks are set back.';
comment on column smartassist.fact_queue_visits.entered_at is 'Instant at which the queue was entered. NULL where the API gives none. API: destinations[].EnterTime.';
comment on column smartassist.fact_queue_visits.session_started_at is 'Instant at which the session started. API: sessionStartTime.';
comment on column smartassist.fact_queue_visits.conversation_id is 'Identifier of the conversation. API: conversationId.';
comment on column smartassist.fact_queue_visits.channel is
    'Channel of the interaction with the first letter of each word large, whatever way it was sent; (unknown) where the API gives none. API: channel.';
comment on column smartassist.fact_queue_visits.direction is 'Inbound or Outbound, written as channel is; (unknown) where the API does not say. API: Direction.';
comment on column smartassist.fact_queue_visits.campaign_name is 'Name of the campaign. API: campaigninfo.campaignName.';
comment on column smartassist.fact_queue_visits.last_intent_name is
    'The last intent that the bot recognised before the transfer to an agent. API: metaInfo.agentTransferConfig.lastIntentName.';
comment on column smartassist.fact_queue_visits.visit_number is 'Which of the interaction''s stays in queues it is, from 1.';
comment on column smartassist.fact_queue_visits.queue_key is 'The queue, as in smartassist_bi.queues.';
comment on column smartassist.fact_queue_visits.previous_queue_key is 'The queue of the interaction''s stay before. NULL for the first one.';
comment on column smartassist.fact_queue_visits.next_queue_key is 'The queue of the interaction''s next stay, which may be the same one again. NULL for the last one.';
comment on column smartassist.fact_queue_visits.outcome is
    'How the stay ended: answered (by an agent of the queue, or one who was given it directly from there), flowed_out (unanswered, and entered a queue again), transferred_unanswered (to an agent who did not answer), waiting (the session is open), voicemail, callback_open (a callback was asked for and no agent came), abandoned (a status says so, or the customer hung up), terminated (a status says so, or the system or the bot hung up) or other. Derived.';
comment on column smartassist.fact_queue_visits.answered_at is 'Instant at which the answering agent accepted. NULL where nobody answered or the API gives none. API: acceptedTime.';
comment on column smartassist.fact_queue_visits.left_at is
    'Instant at which the wait ended: the answer, else the entry into the next queue or the offer to an agent, else the end of the session; of callback_open the instant at which the callback was asked for. NULL while waiting. Derived.';
comment on column smartassist.fact_queue_visits.wait_seconds is
    'Seconds from the entry to the answer, or where nobody answered to left_at, rounded up: 20.4 are not within 20. NULL while waiting, where a stamp is missing, or the end is before the entry. Derived.';
comment on column smartassist.fact_queue_visits.agent_key is 'The agent who answered, as in smartassist_bi.agents. NULL where nobody did. Personal data.';
comment on column smartassist.fact_queue_visits.transferred_out is '1 where an agent answered and another destination followed, else 0. Sum it. Derived.';
comment on column smartassist.fact_queue_visits.callback_opted is '1 where the customer asked to be called back, else 0. Sum it. API: destinations[].CallbackOpted.';
comment on column smartassist.fact_queue_visits.callback_connected is '1 where an agent answered after the customer had asked to be called back, else 0. Sum it. Derived.';
comment on column smartassist.fact_queue_visits.callback_asked_seconds is
    'Seconds from the entry to asking to be called back. NULL where a stamp is missing, or they are the wrong way round. Derived.';
comment on column smartassist.fact_queue_visits.callback_seconds is
    'Seconds from asking to be called back to the customer''s acceptance of the call, whether or not an agent was connected. NULL where a stamp is missing, or they are the wrong way round. Derived.';
comment on index smartassist.fact_queue_visits_by_time is 'Serves: stays in queues of a period.';

create table smartassist.fact_agent_offers (
    interaction_key uuid not null,
    destination_index integer not null,
    segment_index integer not null,
    account_id text collate "C" not null,
    assigned_quarter_local timestamp not null,
    assigned_on date not null,
    assigned_quarter timestamptz not null,
    accepted_quarter_local timestamp,
    accepted_on date,
    accepted_quarter timestamptz,
    assigned_at timestamptz,
    accepted_at timestamptz,
    work_ended_at timestamptz,
    session_started_at timestamptz not null,
    conversation_id text collate "C",
    channel text not null,
    direction text not null,
    queue_key text collate "C",
    visit_queue_key text collate "C",
    agent_key text collate "C" not null,
    outcome text not null,
    non_response_event text,
    transferred_out integer not null,
    consultations integer not null,
    consultations_merged integer not null,
    consult_seconds bigint,
    pickup_seconds bigint,
    first_response_seconds integer,
    interaction_seconds integer,
    hold_seconds integer,
    after_call_work_seconds integer,
    handle_seconds bigint,
    csat_score integer,
    nps_score integer,
    constraint fact_agent_offers_pkey primary key (interaction_key, destination_index, segment_index)
);
create index fact_agent_offers_by_time on smartassist.fact_agent_offers using brin (assigned_quarter_local, assigned_on, accepted_on, work_ended_at) with (pages_per_range = 16, autosummarize = on);

comment on table smartassist.fact_agent_offers is
    'One row per offer of an interaction to an agent, answered or not. An agent who was offered the same one twice has two. Contains personal data of agents.';
comment on column smartassist.fact_agent_offers.destination_index is 'The destination of the offer, as in smartassist.destinations. Part of the key.';
comment on column smartassist.fact_agent_offers.segment_index is 'The agent segment, as in smartassist.agent_segments. Part of the key.';
comment on column smartassist.fact_agent_offers.assigned_quarter_local is
    'Local quarter of an hour of the offer (of the acceptance, entry into the queue or start of the session, where the API gives no earlier one of these). Group and filter by it, and do not convert it.';
comment on column smartassist.fact_agent_offers.assigned_on is 'Local date of the offer.';
comment on column smartassist.fact_agent_offers.assigned_quarter is
    'The quarter of an hour of the offer as an instant: it tells the two apart that have one local name when clocks are set back.';
comment on column smartassist.fact_agent_offers.accepted_quarter_local is 'Local quarter of an hour of the acceptance (of the first response or the offer, where an answered one has no acceptance): seconds of handling belong there. NULL where the agent did not accept.';
comment on column smartassist.fact_agent_offers.accepted_on is 'Its local date.';
comment on column smartassist.fact_agent_offers.accepted_quarter is 'The same quarter of an hour as an instant.';
comment on column smartassist.fact_agent_offers.assigned_at is 'Instant of the offer. API: assignedAt.';
comment on column smartassist.fact_agent_offers.accepted_at is 'Instant at which the agent accepted. API: acceptedTime.';
comment on column smartassist.fact_agent_offers.work_ended_at is
    'Instant at which the agent''s work on it ended, after-call work included. NULL where the agent did not answer or the API gives none. Derived from interactionEndTime and afterCallWorkEndTime.';
comment on column smartassist.fact_agent_offers.queue_key is 'The queue from which it was offered, as in smartassist_bi.queues. NULL for a direct transfer.';
comment on column smartassist.fact_agent_offers.visit_queue_key is 'The queue of the stay that it belongs to: its own, or the one before a direct transfer. NULL where there was none.';
comment on column smartassist.fact_agent_offers.agent_key is 'The agent, as in smartassist_bi.agents. Personal data.';
comment on column smartassist.fact_agent_offers.outcome is
    'What came of the offer: answered, missed (the event is Ignored, or the session ended without one), taken_away (any other event, such as Supervisor Reassigned; non_response_event tells which) or ringing (not answered yet, and the session is open). Derived.';
comment on column smartassist.fact_agent_offers.non_response_event is 'Why the agent did not answer, as sent; the list is open. API: nonResponseEvent.';
comment on column smartassist.fact_agent_offers.transferred_out is '1 where the agent answered and another destination followed, else 0. Sum it. Derived.';
comment on column smartassist.fact_agent_offers.consultations is 'Number of consultations that the agent made. Sum it. Derived.';
comment on column smartassist.fact_agent_offers.consultations_merged is 'Those of them that were merged into the conversation. Sum it. Derived.';
comment on column smartassist.fact_agent_offers.consult_seconds is 'Seconds from acceptance to end of the consultations, added up. NULL where none has both. Derived.';
comment on column smartassist.fact_agent_offers.pickup_seconds is 'Seconds from the offer to the acceptance. NULL where the agent did not answer, a stamp is missing, or they are the wrong way round. Derived.';
comment on column smartassist.fact_agent_offers.first_response_seconds is 'Seconds from the acceptance to the first response, as reckoned by the API. API: firstResponseDuration.';
comment on column smartassist.fact_agent_offers.interaction_seconds is
    'Seconds from the acceptance to the last utterance, hold included, as reckoned by the API. NULL where the agent did not answer. API: interactionDuration.';
comment on column smartassist.fact_agent_offers.hold_seconds is 'Seconds on hold. NULL where the agent did not answer or the API does not say. API: holdDuration.';
comment on column smartassist.fact_agent_offers.after_call_work_seconds is 'Seconds of after-call work. NULL where there is none or it cannot be read. API: afterCallWorkDuration.';
comment on column smartassist.fact_agent_offers.handle_seconds is
    'interaction_seconds plus after_call_work_seconds, where absent after-call work counts as 0. NULL where the agent did not answer or one of them cannot be read. Derived.';
comment on column smartassist.fact_agent_offers.csat_score is 'Customer satisfaction score, given to the last agent who answered, and NULL for all others. API: csatScore.';
comment on column smartassist.fact_agent_offers.nps_score is 'Net promoter score, 0 to 10, given to the last agent who answered, and NULL for all others. API: npsScore.';
comment on index smartassist.fact_agent_offers_by_time is 'Serves: offers to agents of a period, and their work in one.';

create table smartassist.fact_interactions (
    interaction_key uuid not null,
    account_id text collate "C" not null,
    started_quarter_local timestamp not null,
    started_on date not null,
    started_quarter timestamptz not null,
    session_started_at timestamptz not null,
    session_ended_at timestamptz,
    contact_ended_at timestamptz,
    conversation_id text collate "C",
    channel text not null,
    direction text not null,
    outcome text not null,
    conversations integer not null,
    contact_key uuid,
    campaign_name text,
    last_intent_name text,
    skill_names text,
    reason text,
    dispositions text[] not null,
    tags jsonb,
    first_queue_key text collate "C",
    first_queue_entered_at timestamptz,
    first_accepted_at timestamptz,
    first_agent_key text collate "C",
    last_agent_key text collate "C",
    destination_count integer not null,
    queue_visits integer not null,
    segment_count integer not null,
    answered_segment_count integer not null,
    transfers integer not null,
    consultations integer not null,
    callback_opted boolean,
    queue_wait_seconds bigint,
    interaction_seconds bigint,
    hold_seconds bigint,
    after_call_work_seconds bigint,
    handle_seconds bigint,
    csat_score integer,
    nps_score integer,
    like_dislike_score integer,
    next_at timestamptz,
    next_channel text,
    constraint fact_interactions_pkey primary key (interaction_key)
);
create index fact_interactions_by_contact on smartassist.fact_interactions (contact_key, session_started_at)
where contact_key is not null and destination_count > 0 and conversations = 1;
create index fact_interactions_by_time on smartassist.fact_interactions using brin (started_quarter_local, started_on) with (pages_per_range = 16, autosummarize = on);

comment on table smartassist.fact_interactions is
    'One row per interaction that the API still returns and that is no shadow. Contains personal data of agents; of customers a keyed hash, and what stands in tags.';
comment on column smartassist.fact_interactions.started_quarter_local is
    'Local quarter of an hour in which the session started. Group and filter by it, and do not convert it.';
comment on column smartassist.fact_interactions.started_on is 'Local date of the start.';
comment on column smartassist.fact_interactions.started_quarter is
    'The quarter of an hour of the start as an instant: it tells the two apart that have one local name when clocks are set back.';
comment on column smartassist.fact_interactions.session_ended_at is 'Instant at which the session ended. NULL while it is open. API: sessionEndTime.';
comment on column smartassist.fact_interactions.contact_ended_at is
    'The latest of the end of the session and the ends of its agents'' work: a session can end before its last agent does. NULL while the session is open. Derived.';
comment on column smartassist.fact_interactions.outcome is
    'How it ended: contained_resolved (the bot alone, and resolved as it says), contained_other (the bot alone), answered, abandoned_with_agent (answered, and a status says abandoned), voicemail, callback_open, abandoned, terminated, other (all six as for stays in queues, but of the interaction: one that any agent answered is answered) or open (the session has no end). Derived.';
comment on column smartassist.fact_interactions.conversations is
    '1 in the record of its conversation that began last (of those that came to a queue or an agent, if any did), and 0 in the others: their sum is the number of conversations (a session without one counts as one). Where it is 0, seconds and scores are NULL: the other record has them. Derived.';
comment on column smartassist.fact_interactions.contact_key is
    'Tells customers apart, to count repeated contacts: a keyed hash of the customer''s identifier, the same for the same one, that says nothing of it. NULL where the API gives none. Derived from userId.';
comment on column smartassist.fact_interactions.skill_names is 'Names of the skills asked for, in order of the alphabet, joined by commas. NULL where there are none. Derived from skills.';
comment on column smartassist.fact_interactions.reason is
    'Reason for the status: a word that the vendor is known to send, or one of the interaction''s dispositions. "(withheld)" for all else, which may be free text. API: reason or Reason.';
comment on column smartassist.fact_interactions.dispositions is
    'Dispositions that were assigned to the conversation, in the order sent; those of another of its records where the record that counts has none; empty where there are none. "(withheld)" where one holds what looks like an e-mail address or a phone number. API: dispositions.';
comment on column smartassist.fact_interactions.tags is
    'Last value of each tag of the session that reporting.shown_tags names, by its name; "(withheld)" for all others together, and where a value looks like an e-mail address or a phone number. NULL where there are none. Derived from sessionleveltags.';
comment on column smartassist.fact_interactions.first_queue_key is 'The first queue, as in smartassist_bi.queues. NULL where it never was in one.';
comment on column smartassist.fact_interactions.first_queue_entered_at is 'Instant at which the first queue was entered. API: destinations[].EnterTime.';
comment on column smartassist.fact_interactions.first_accepted_at is 'Earliest instant at which an answering agent accepted. API: acceptedTime.';
comment on column smartassist.fact_interactions.first_agent_key is 'The first agent who answered, as in smartassist_bi.agents. Personal data.';
comment on column smartassist.fact_interactions.last_agent_key is 'The last agent who answered, as in smartassist_bi.agents. Personal data.';
comment on column smartassist.fact_interactions.destination_count is 'Number of queues and direct transfers that it was sent to; 0 for a bot-only session. Derived.';
comment on column smartassist.fact_interactions.queue_visits is 'Number of stays in queues. Derived.';
comment on column smartassist.fact_interactions.segment_count is 'Number of offers to agents, each time counted. Derived.';
comment on column smartassist.fact_interactions.answered_segment_count is 'Number of offers that were answered. Derived.';
comment on column smartassist.fact_interactions.transfers is 'Number of answered destinations that another one followed. Derived.';
comment on column smartassist.fact_interactions.consultations is 'Number of consultations. Derived.';
comment on column smartassist.fact_interactions.callback_opted is 'Whether the customer asked to be called back; NULL where the API does not say. API: destinations[].CallbackOpted.';
comment on column smartassist.fact_interactions.queue_wait_seconds is
    'Seconds from entering the first queue to the first acceptance by an answering agent at or after that instant, in whatever queue or direct transfer it came. Includes waiting for a callback. NULL if it was never queued, never accepted, or a stamp is missing. Derived.';
comment on column smartassist.fact_interactions.interaction_seconds is
    'Seconds that answering agents spent on the conversation, in whatever record, added up; agents who worked at the same time count twice. NULL where one of them has none or one that cannot be read: a sum is never smaller than the truth. API: interactionDuration.';
comment on column smartassist.fact_interactions.hold_seconds is
    'Seconds on hold, added up. NULL where no answering agent has any, or one has a value that cannot be read. API: holdDuration.';
comment on column smartassist.fact_interactions.after_call_work_seconds is
    'Seconds of after-call work of answering agents, added up; an agent without any counts as 0. NULL where no agent has any, or one has a value that cannot be read. API: afterCallWorkDuration.';
comment on column smartassist.fact_interactions.handle_seconds is
    'interaction_seconds plus after_call_work_seconds, where absent after-call work counts as 0. NULL where interaction_seconds is NULL, or after-call work cannot be read. Derived.';
comment on column smartassist.fact_interactions.csat_score is 'Customer satisfaction score of the conversation; its scale is not part of the record. API: csatScore.';
comment on column smartassist.fact_interactions.nps_score is 'Net promoter score of the conversation, documented as 0 to 10. API: npsScore.';
comment on column smartassist.fact_interactions.like_dislike_score is 'Documented as 1 for like and 0 for dislike. API: likeDislikeScore.';
comment on column smartassist.fact_interactions.next_at is
    'Instant at which the same customer''s next contact started, on any channel. NULL where there is none yet, and where this is no contact: a conversation that came to a queue or an agent, of a customer whom the API tells apart. Derived.';
comment on column smartassist.fact_interactions.next_channel is 'Channel of that next contact. Derived.';
comment on index smartassist.fact_interactions_by_contact is 'Serves: the contacts of one customer, in their order.';
comment on index smartassist.fact_interactions_by_time is 'Serves: interactions of a period.';

-- As of the data: no samples of what may be personal.
alter table smartassist.agents
    alter column agent_key set statistics 0, alter column agent_id set statistics 0, alter column agent_name set statistics 0,
    alter column agent_label set statistics 0;
alter table smartassist.fact_queue_visits alter column agent_key set statistics 0;
alter table smartassist.fact_agent_offers alter column agent_key set statistics 0;
alter table smartassist.fact_interactions alter column tags set statistics 0, alter column first_agent_key set statistics 0, alter column last_agent_key set statistics 0;

-- What BI tools read. No view here has a column for a customer's name, number, address, note or word, and none an array: BI tools write lower(column)
-- around every column of a filter, which PostgreSQL does not know for arrays. In place of a customer's identifier, which may be an address, is
-- a keyed hash, by which contacts of one customer can be counted, and which nobody can try numbers on who cannot read the key. Free text in
-- which an address or a number may stand is withheld where it looks as if it did.
--
-- Whoever reads a view needs the right to execute the functions in it, so there are none of ours.

create view smartassist_bi.settings as
select
    account_id, time_zone, service_level_seconds, service_level_seconds_by_channel::text as service_level_seconds_by_channel, short_abandon_seconds,
    repeat_contact_days, week_starts_on, rebuild_from is not null as is_rebuilding
from smartassist.reporting;

comment on view smartassist_bi.settings is 'What reports on each account are made with; set by reporting.* of the configuration.';
comment on column smartassist_bi.settings.is_rebuilding is
    'Whether facts are being made anew, as after a change of the time zone or of the shown tags: until then some hold those before.';

create view smartassist_bi.queues as
select account_id, queue_key, queue_id, queue_name, queue_label, last_seen_at from smartassist.queues;

comment on view smartassist_bi.queues is 'One row per queue that an interaction entered, with the name that it had last. The list of values for a filter.';

create view smartassist_bi.agents as
select account_id, agent_key, agent_id, agent_name, agent_label, last_seen_at from smartassist.agents;

comment on view smartassist_bi.agents is
    'One row per agent whom an interaction was offered to, with the name that he or she had last. The list of values for a filter. Contains personal data of agents.';

create view smartassist_bi.queue_visits as
select
    v.entered_quarter_local,
    v.entered_on,
    v.entered_quarter,
    v.entered_at,
    v.account_id,
    v.interaction_key,
    v.destination_index,
    v.conversation_id,
    v.session_started_at,
    v.channel,
    v.direction,
    v.campaign_name,
    v.last_intent_name,
    v.visit_number,
    v.queue_key,
    coalesce(q.queue_label, v.queue_key) as queue_label,
    coalesce(previous.queue_label, v.previous_queue_key) as previous_queue_label,
    coalesce(next.queue_label, v.next_queue_key) as next_queue_label,
    v.outcome,
    v.answered_at,
    v.left_at,
    v.wait_seconds,
    case when v.outcome = 'answered' then v.wait_seconds end as answer_seconds,
    case when v.outcome = 'abandoned' then v.wait_seconds end as abandon_seconds,
    v.agent_key,
    coalesce(a.agent_label, v.agent_key) as agent_label,
    1 as offered,
    (v.outcome = 'answered')::integer as answered,
    (v.outcome = 'answered' and coalesce(v.wait_seconds <= target.seconds, false))::integer as answered_in_target,
    (v.outcome = 'abandoned')::integer as abandoned,
    (v.outcome = 'abandoned' and coalesce(v.wait_seconds <= r.short_abandon_seconds, false))::integer as abandoned_short,
    (v.outcome = 'abandoned' and coalesce(v.wait_seconds <= target.seconds, false))::integer as abandoned_in_target,
    (
        v.callback_opted = 1 and coalesce(v.callback_asked_seconds <= target.seconds, false)
        and not (v.outcome = 'answered' and coalesce(v.wait_seconds <= target.seconds, false))
    )::integer as callback_asked_in_target,
    (v.outcome = 'flowed_out')::integer as flowed_out,
    (v.outcome = 'voicemail')::integer as voicemail,
    (v.outcome = 'terminated')::integer as terminated,
    (v.outcome = 'waiting' and v.session_started_at > now() - interval '3 days')::integer as waiting,
    (v.outcome <> 'waiting')::integer as closed,
    v.callback_opted,
    v.callback_connected,
    v.callback_asked_seconds,
    v.callback_seconds,
    v.transferred_out
from smartassist.fact_queue_visits as v
left join smartassist.reporting as r on r.account_id = v.account_id
cross join lateral (
    select coalesce((r.service_level_seconds_by_channel ->> v.channel)::integer, r.service_level_seconds) as seconds
) as target
left join smartassist.queues as q on q.account_id = v.account_id and q.queue_key = v.queue_key
left join smartassist.queues as previous on previous.account_id = v.account_id and previous.queue_key = v.previous_queue_key
left join smartassist.queues as next on next.account_id = v.account_id and next.queue_key = v.next_queue_key
left join smartassist.agents as a on a.account_id = v.account_id and a.agent_key = v.agent_key;

comment on view smartassist_bi.queue_visits is
    'One row per stay of an interaction in a queue, of interactions that the API still returns. Sum the columns of 0 and 1; divide sums, never average ratios. Group by entered_quarter_local or entered_on.';
comment on column smartassist_bi.queue_visits.queue_label is 'Label of the queue; no two queues of an account have the same.';
comment on column smartassist_bi.queue_visits.previous_queue_label is 'Label of the queue of the interaction''s stay before. NULL for the first one.';
comment on column smartassist_bi.queue_visits.next_queue_label is 'Label of the queue of the interaction''s next stay. NULL for the last one.';
comment on column smartassist_bi.queue_visits.agent_label is 'Label of the agent who answered. NULL where nobody did. Personal data.';
comment on column smartassist_bi.queue_visits.answer_seconds is 'wait_seconds of answered stays, NULL for others.';
comment on column smartassist_bi.queue_visits.abandon_seconds is 'wait_seconds of abandoned stays, NULL for others.';
comment on column smartassist_bi.queue_visits.offered is 'Always 1: their sum counts stays.';
comment on column smartassist_bi.queue_visits.answered is '1 where the outcome is answered, else 0.';
comment on column smartassist_bi.queue_visits.answered_in_target is '1 where answered within reporting.service_level_seconds (or those of its channel), else 0.';
comment on column smartassist_bi.queue_visits.abandoned is '1 where the outcome is abandoned, else 0.';
comment on column smartassist_bi.queue_visits.abandoned_short is '1 where abandoned within reporting.short_abandon_seconds, else 0.';
comment on column smartassist_bi.queue_visits.abandoned_in_target is '1 where abandoned within reporting.service_level_seconds (or those of its channel), else 0.';
comment on column smartassist_bi.queue_visits.callback_asked_in_target is '1 where a callback was asked for within reporting.service_level_seconds (or those of its channel) and nobody answered within it, else 0.';
comment on column smartassist_bi.queue_visits.flowed_out is '1 where the outcome is flowed_out, else 0.';
comment on column smartassist_bi.queue_visits.voicemail is '1 where the outcome is voicemail, else 0.';
comment on column smartassist_bi.queue_visits.terminated is '1 where the outcome is terminated, else 0.';
comment on column smartassist_bi.queue_visits.waiting is '1 where the outcome is waiting and the session began within the last three days, else 0: sessions whose end the API never shows wait no longer.';
comment on column smartassist_bi.queue_visits.closed is '1 where the stay has ended, else 0.';

create view smartassist_bi.agent_offers as
select
    o.assigned_quarter_local,
    o.assigned_on,
    o.assigned_quarter,
    o.accepted_quarter_local,
    o.accepted_on,
    o.accepted_quarter,
    o.assigned_at,
    o.accepted_at,
    o.work_ended_at,
    o.account_id,
    o.interaction_key,
    o.destination_index,
    o.segment_index,
    o.session_started_at,
    o.channel,
    o.direction,
    o.queue_key,
    coalesce(q.queue_label, o.queue_key, '(direct)') as queue_label,
    o.visit_queue_key,
    coalesce(stay.queue_label, o.visit_queue_key, '(direct)') as visit_queue_label,
    o.agent_key,
    coalesce(a.agent_label, o.agent_key) as agent_label,
    o.outcome,
    o.non_response_event,
    1 as offered,
    (o.outcome = 'answered')::integer as answered,
    (o.outcome = 'missed')::integer as missed,
    (o.outcome = 'taken_away')::integer as taken_away,
    o.transferred_out,
    o.consultations,
    o.consultations_merged,
    o.consult_seconds,
    o.pickup_seconds,
    o.first_response_seconds,
    o.interaction_seconds,
    o.hold_seconds,
    o.after_call_work_seconds,
    o.handle_seconds,
    (o.handle_seconds is not null)::integer as handled,
    (o.after_call_work_seconds > 0 and o.after_call_work_seconds is not null)::integer as with_after_call_work,
    o.csat_score,
    o.nps_score
from smartassist.fact_agent_offers as o
left join smartassist.queues as q on q.account_id = o.account_id and q.queue_key = o.queue_key
left join smartassist.queues as stay on stay.account_id = o.account_id and stay.queue_key = o.visit_queue_key
left join smartassist.agents as a on a.account_id = o.account_id and a.agent_key = o.agent_key;

comment on view smartassist_bi.agent_offers is
    'One row per offer of an interaction to an agent, answered or not, of interactions that the API still returns. Sum the columns of 0 and 1 and the seconds; divide sums. Offers belong to assigned_quarter_local, seconds of handling to accepted_quarter_local. Contains personal data of agents.';
comment on column smartassist_bi.agent_offers.queue_label is 'Label of the queue from which it was offered; (direct) for a direct transfer.';
comment on column smartassist_bi.agent_offers.visit_queue_label is 'Label of the queue of the stay that it belongs to, also where it was transferred from there to the agent directly; (direct) where it never was in one.';
comment on column smartassist_bi.agent_offers.agent_label is 'Label of the agent; no two agents of an account have the same. Personal data.';
comment on column smartassist_bi.agent_offers.offered is 'Always 1: their sum counts offers.';
comment on column smartassist_bi.agent_offers.answered is '1 where the outcome is answered, else 0.';
comment on column smartassist_bi.agent_offers.missed is '1 where the outcome is missed, else 0.';
comment on column smartassist_bi.agent_offers.taken_away is '1 where the outcome is taken_away, else 0.';
comment on column smartassist_bi.agent_offers.handled is '1 where handle_seconds is known, else 0: what to divide their sum by.';
comment on column smartassist_bi.agent_offers.with_after_call_work is '1 where there was after-call work, else 0.';

create view smartassist_bi.interactions as
select
    f.started_quarter_local,
    f.started_on,
    f.started_quarter,
    f.session_started_at,
    f.session_ended_at,
    f.contact_ended_at,
    f.account_id,
    f.interaction_key,
    s.session_id,
    f.conversation_id,
    f.channel,
    f.direction,
    f.outcome,
    f.conversations,
    f.contact_key,
    case when f.session_ended_at >= f.session_started_at then extract(epoch from f.session_ended_at - f.session_started_at)::bigint end as session_seconds,
    case when f.contact_ended_at >= f.session_started_at then extract(epoch from f.contact_ended_at - f.session_started_at)::bigint end as contact_seconds,
    s.bot_id,
    s.final_status,
    s.smart_status,
    f.reason,
    s.disconnecting_event,
    s.is_voicemail,
    nullif(array_to_string(f.dispositions, ', '), '') as dispositions,
    s.survey_type,
    f.csat_score,
    f.nps_score,
    f.like_dislike_score,
    s.campaign_id,
    f.campaign_name,
    f.last_intent_name,
    f.skill_names,
    f.destination_count,
    f.queue_visits,
    f.segment_count,
    f.answered_segment_count,
    f.transfers,
    f.consultations,
    f.callback_opted,
    f.first_queue_key,
    coalesce(q.queue_label, f.first_queue_key) as first_queue_label,
    f.first_queue_entered_at,
    f.queue_wait_seconds,
    f.first_agent_key,
    coalesce(first.agent_label, f.first_agent_key) as first_agent_label,
    f.last_agent_key,
    coalesce(last.agent_label, f.last_agent_key) as last_agent_label,
    f.first_accepted_at,
    f.interaction_seconds,
    f.hold_seconds,
    f.after_call_work_seconds,
    f.handle_seconds,
    (f.destination_count > 0)::integer as handed_over,
    (f.queue_visits > 0)::integer as queued,
    (f.answered_segment_count > 0)::integer as answered,
    (f.outcome in ('contained_resolved', 'contained_other'))::integer as contained,
    (f.outcome = 'contained_resolved')::integer as resolved_by_bot,
    (f.outcome = 'abandoned')::integer as abandoned,
    (f.outcome = 'abandoned_with_agent')::integer as abandoned_with_agent,
    (f.outcome <> 'open')::integer as closed,
    s.last_changed_at
from smartassist.fact_interactions as f
-- Outer joins to keys: the planner leaves out those whose columns a query does not ask for.
left join smartassist.sessions as s on s.interaction_key = f.interaction_key
left join smartassist.queues as q on q.account_id = f.account_id and q.queue_key = f.first_queue_key
left join smartassist.agents as first on first.account_id = f.account_id and first.agent_key = f.first_agent_key
left join smartassist.agents as last on last.account_id = f.account_id and last.agent_key = f.last_agent_key;

comment on view smartassist_bi.interactions is
    'One row per interaction that the API still returns, but for the shadows that the agent''s assistant leaves beside a conversation. Several records of one conversation are several rows: sum(conversations) counts it once, and seconds and scores stand in that row alone. Contains agents'' names, and of customers a keyed hash.';
comment on column smartassist_bi.interactions.session_seconds is 'Seconds from the start to the end of the session; NULL without an end, or where the end is before the start. Derived.';
comment on column smartassist_bi.interactions.contact_seconds is 'Seconds from the start of the session to the end of the contact; NULL while the session is open. Derived.';
comment on column smartassist_bi.interactions.dispositions is
    'Dispositions that were assigned to the conversation, joined by commas; NULL where there are none. One row each: interaction_dispositions. API: dispositions.';
comment on column smartassist_bi.interactions.first_queue_label is 'Label of the first queue. NULL where it never was in one.';
comment on column smartassist_bi.interactions.first_agent_label is 'Label of the first agent who answered. Personal data.';
comment on column smartassist_bi.interactions.last_agent_label is 'Label of the last agent who answered. Personal data.';
comment on column smartassist_bi.interactions.handed_over is '1 where it came to a queue or an agent, else 0.';
comment on column smartassist_bi.interactions.queued is '1 where it was in a queue, else 0.';
comment on column smartassist_bi.interactions.answered is '1 where at least one agent answered, else 0.';
comment on column smartassist_bi.interactions.contained is '1 where the bot alone handled it and it has ended, else 0.';
comment on column smartassist_bi.interactions.resolved_by_bot is '1 where the outcome is contained_resolved, else 0.';
comment on column smartassist_bi.interactions.abandoned is '1 where the outcome is abandoned, else 0.';
comment on column smartassist_bi.interactions.abandoned_with_agent is '1 where the outcome is abandoned_with_agent, else 0.';
comment on column smartassist_bi.interactions.closed is '1 where it has ended, else 0.';
comment on column smartassist_bi.interactions.last_changed_at is
    'Instant at which the loader last stored a changed version of the interaction, or found that it came back after it was missing; for incremental extracts. What went missing leaves the view: see removed_interactions.';

create view smartassist_bi.contacts as
select
    c.started_quarter_local,
    c.started_on,
    c.session_started_at,
    c.contact_ended_at,
    c.account_id,
    c.interaction_key,
    c.contact_key,
    c.channel,
    c.direction,
    c.first_queue_key,
    coalesce(q.queue_label, c.first_queue_key) as first_queue_label,
    c.last_agent_key,
    coalesce(a.agent_label, c.last_agent_key) as last_agent_label,
    c.next_at,
    c.next_channel,
    c.is_judged::integer as judged,
    (c.is_judged and not c.is_repeated)::integer as resolved_first,
    (c.is_judged and c.is_repeated)::integer as repeated
from (
    select
        contact.*,
        coalesce(contact.contact_ended_at + make_interval(hours => 24 * r.repeat_contact_days) <= account.watermark, false) as is_judged,
        coalesce(contact.next_at <= contact.contact_ended_at + make_interval(hours => 24 * r.repeat_contact_days), false) as is_repeated
    from smartassist.fact_interactions as contact
    left join smartassist.reporting as r on r.account_id = contact.account_id
    left join smartassist_sync.accounts as account on account.account_id = contact.account_id and account.stream = 'interactions'
    where contact.contact_key is not null and contact.destination_count > 0 and contact.conversations = 1
) as c
left join smartassist.queues as q on q.account_id = c.account_id and q.queue_key = c.first_queue_key
left join smartassist.agents as a on a.account_id = c.account_id and a.agent_key = c.last_agent_key;

comment on view smartassist_bi.contacts is
    'One row per contact, with the same customer''s next one: for first contact resolution and repeated contacts. A contact is a conversation that came to a queue or an agent, of a customer whom the API tells apart; what the bot alone handled is none. Divide sum(resolved_first) by sum(judged).';
comment on column smartassist_bi.contacts.first_queue_label is 'Label of the first queue. NULL where it never was in one.';
comment on column smartassist_bi.contacts.last_agent_label is 'Label of the last agent who answered. Personal data.';
comment on column smartassist_bi.contacts.judged is
    '1 where reporting.repeat_contact_days have passed since its end and all of them are loaded, else 0: only of these it is known whether the customer came back.';
comment on column smartassist_bi.contacts.resolved_first is '1 where judged and the customer did not come back in that time, else 0.';
comment on column smartassist_bi.contacts.repeated is '1 where judged and the customer came back in that time, else 0.';

create view smartassist_bi.interaction_dispositions as
select
    f.started_quarter_local,
    f.started_on,
    f.session_started_at,
    f.account_id,
    f.interaction_key,
    f.channel,
    f.direction,
    f.outcome,
    f.conversations,
    given.position,
    given.disposition,
    (given.position = 1)::integer * f.conversations as interactions
from smartassist.fact_interactions as f
cross join lateral (
    select one.disposition, row_number() over (order by one.place) as position
    from unnest(f.dispositions) with ordinality as one (disposition, place)
    where one.disposition is not null
) as given;

comment on view smartassist_bi.interaction_dispositions is
    'One row per disposition of an interaction that the API still returns. Several records of one conversation may repeat it: count dispositions by sum(conversations), and what has any by sum(interactions). Ask for a period, which limits how much is read.';
comment on column smartassist_bi.interaction_dispositions.outcome is 'How the interaction ended, as in smartassist_bi.interactions.';
comment on column smartassist_bi.interaction_dispositions.position is 'Position among the interaction''s dispositions, from 1. Derived.';
comment on column smartassist_bi.interaction_dispositions.disposition is
    'The disposition. "(withheld)" where it holds what looks like an e-mail address or a phone number. API: dispositions.';
comment on column smartassist_bi.interaction_dispositions.interactions is '1 at position 1 of the record that counts for its conversation, else 0: their sum is the number of conversations that have a disposition. Derived.';

create view smartassist_bi.interaction_tags as
select
    f.started_quarter_local,
    f.started_on,
    f.session_started_at,
    f.account_id,
    f.interaction_key,
    f.channel,
    f.direction,
    f.outcome,
    f.conversations,
    tag.name as tag_name,
    tag.value as tag_value
from smartassist.fact_interactions as f
cross join lateral jsonb_each_text(f.tags) as tag (name, value);

comment on view smartassist_bi.interaction_tags is
    'One row per interaction and name of a tag of the session, with the last value: sum(conversations) counts a conversation once for each name ("(withheld)" stands for all that are not shown). Tags of the customer''s profile are left out. Ask for a period, which limits how much is read.';
comment on column smartassist_bi.interaction_tags.outcome is 'How the interaction ended, as in smartassist_bi.interactions.';
comment on column smartassist_bi.interaction_tags.tag_name is 'Name of the tag, if reporting.shown_tags names it, else "(withheld)". API: sessionleveltags[].name.';
comment on column smartassist_bi.interaction_tags.tag_value is
    'Its last value, for the tags that reporting.shown_tags names; "(withheld)" for all others, and where it looks like an e-mail address or a phone number. API: sessionleveltags[].value.';

create view smartassist_bi.removed_interactions as
select account_id, interaction_key, session_started_at, missing_since
from smartassist.sessions
where missing_since is not null;

comment on view smartassist_bi.removed_interactions is
    'Interactions that the API no longer returns, which have left all other views: for extracts that add to what they have. What was erased or has become too old is not listed: it is gone.';

comment on column smartassist_bi.removed_interactions.missing_since is 'Instant from which the API no longer returned it.';

create view smartassist_bi.calendar as
select
    given.day::date as date,
    extract(year from given.day)::integer as year,
    extract(quarter from given.day)::integer as quarter,
    extract(month from given.day)::integer as month,
    date_trunc('month', given.day)::date as month_start,
    extract(isoyear from given.day)::integer as iso_year,
    extract(week from given.day)::integer as iso_week,
    (given.day - make_interval(days => (extract(isodow from given.day)::integer - setting.week_starts_on + 7) % 7))::date as week_start,
    extract(isodow from given.day)::integer as weekday,
    (array['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'])[extract(isodow from given.day)::integer] as weekday_name,
    (extract(isodow from given.day) >= 6)::integer as is_weekend
from (select coalesce(min(week_starts_on), 1) as week_starts_on from smartassist.reporting) as setting
cross join generate_series(timestamp '2015-01-01', date_trunc('year', current_date::timestamp) + interval '2 years' - interval '1 day', interval '1 day') as given (day);

comment on view smartassist_bi.calendar is
    'One row per day from 2015 to the end of the next year, without gaps: for days on which nothing happened, and as the date table of Power BI. Join it on the local date of a fact.';
comment on column smartassist_bi.calendar.date is 'The day. The key.';
comment on column smartassist_bi.calendar.year is 'Year of the day.';
comment on column smartassist_bi.calendar.quarter is 'Quarter of the year, 1 to 4.';
comment on column smartassist_bi.calendar.month is 'Month of the year, 1 to 12.';
comment on column smartassist_bi.calendar.month_start is 'First day of the month.';
comment on column smartassist_bi.calendar.iso_year is 'Year to which the ISO week belongs.';
comment on column smartassist_bi.calendar.iso_week is 'ISO 8601 week, 1 to 53, from Monday.';
comment on column smartassist_bi.calendar.week_start is 'First day of the week, as reporting.week_starts_on says (where accounts differ, the earliest day of those).';
comment on column smartassist_bi.calendar.weekday is 'Day of the week, 1 for Monday to 7 for Sunday.';
comment on column smartassist_bi.calendar.weekday_name is 'English name of the day of the week.';
comment on column smartassist_bi.calendar.is_weekend is '1 on Saturday and Sunday, else 0.';

create view smartassist_bi.quarter_hours as
select
    (time '00:00' + make_interval(mins => 15 * step.number)) as quarter_hour,
    (time '00:00' + make_interval(mins => 30 * (step.number / 2))) as half_hour,
    step.number / 4 as hour,
    to_char(timestamp '2000-01-01' + make_interval(mins => 15 * step.number), 'HH24:MI') as label
from generate_series(0, 95) as step (number);

comment on view smartassist_bi.quarter_hours is 'The 96 quarters of an hour of a day: for times of day at which nothing happened. Join it on the time of a local quarter of an hour.';
comment on column smartassist_bi.quarter_hours.quarter_hour is 'Time of day at which the quarter of an hour begins. The key.';
comment on column smartassist_bi.quarter_hours.half_hour is 'Time of day at which its half hour begins.';
comment on column smartassist_bi.quarter_hours.hour is 'Its hour, 0 to 23.';
comment on column smartassist_bi.quarter_hours.label is 'The time as text, as in 09:15.';

create view smartassist_bi.queue_metrics_by_quarter as
select
    counted.quarter_local,
    counted.date,
    counted.quarter,
    counted.account_id,
    counted.queue_key,
    coalesce(q.queue_label, counted.queue_key) as queue_label,
    counted.channel,
    counted.direction,
    sum(counted.offered) as offered,
    sum(counted.answered) as answered,
    sum(counted.answered_within) as answered_within,
    sum(counted.answered) - sum(counted.answered_within) as answered_beyond,
    sum(counted.abandoned) as abandoned,
    sum(counted.abandoned_short) as abandoned_short,
    sum(counted.abandoned_within) as abandoned_within,
    sum(counted.abandoned) - sum(counted.abandoned_within) as abandoned_beyond,
    sum(counted.flowed_out) as flowed_out,
    sum(counted.voicemail) as voicemail,
    sum(counted.terminated) as terminated,
    sum(counted.callback_opted) as callback_opted,
    sum(counted.transferred_out) as transferred_out,
    sum(counted.closed) as closed,
    sum(counted.answer_seconds) as answer_seconds,
    sum(counted.answers_timed) as answers_timed,
    max(counted.answer_seconds) as max_answer_seconds,
    sum(counted.abandon_seconds) as abandon_seconds,
    sum(counted.abandons_timed) as abandons_timed,
    sum(counted.handled) as handled,
    sum(counted.interaction_seconds) as interaction_seconds,
    sum(counted.hold_seconds) as hold_seconds,
    sum(counted.with_hold) as with_hold,
    sum(counted.after_call_work_seconds) as after_call_work_seconds,
    sum(counted.handle_seconds) as handle_seconds,
    sum(counted.with_after_call_work) as conversations_with_after_call_work,
    sum(counted.csat_sum) as csat_sum,
    sum(counted.csat_answers) as csat_answers
from (
    select
        v.entered_quarter_local as quarter_local,
        v.entered_on as date,
        v.entered_quarter as quarter,
        v.account_id,
        v.queue_key,
        v.channel,
        v.direction,
        v.offered,
        v.answered,
        v.answered_in_target as answered_within,
        v.abandoned,
        v.abandoned_short,
        v.abandoned_in_target as abandoned_within,
        v.flowed_out,
        v.voicemail,
        v.terminated,
        v.callback_opted,
        v.transferred_out,
        v.closed,
        v.answer_seconds,
        (v.answer_seconds is not null)::integer as answers_timed,
        v.abandon_seconds,
        (v.abandon_seconds is not null)::integer as abandons_timed,
        0 as handled,
        null::integer as interaction_seconds,
        null::integer as hold_seconds,
        0 as with_hold,
        null::integer as after_call_work_seconds,
        null::bigint as handle_seconds,
        0 as with_after_call_work,
        null::integer as csat_sum,
        0 as csat_answers
    from smartassist_bi.queue_visits as v
    union all
    select
        o.accepted_quarter_local,
        o.accepted_on,
        o.accepted_quarter,
        o.account_id,
        o.visit_queue_key,
        o.channel,
        o.direction,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, null, 0, null, 0,
        o.handled,
        o.interaction_seconds,
        o.hold_seconds,
        (o.hold_seconds is not null)::integer,
        o.after_call_work_seconds,
        o.handle_seconds,
        o.with_after_call_work,
        o.csat_score,
        (o.csat_score is not null)::integer
    from smartassist_bi.agent_offers as o
    where o.answered = 1 and o.visit_queue_key is not null
) as counted
left join smartassist.queues as q on q.account_id = counted.account_id and q.queue_key = counted.queue_key
group by counted.quarter_local, counted.date, counted.quarter, counted.account_id, counted.queue_key, coalesce(q.queue_label, counted.queue_key), counted.channel, counted.direction;

comment on view smartassist_bi.queue_metrics_by_quarter is
    'What the vendor''s report Queue Metrics Interval and its Contact Volume API count, by local quarter of an hour, queue, channel and direction. Every column but max_answer_seconds can be summed over any of these; divide sums. Stays count where the queue was entered, handling where the agent accepted.';
comment on column smartassist_bi.queue_metrics_by_quarter.quarter_local is 'Local quarter of an hour. Group and filter by it, and do not convert it.';
comment on column smartassist_bi.queue_metrics_by_quarter.date is 'Its local date.';
comment on column smartassist_bi.queue_metrics_by_quarter.quarter is 'The same quarter of an hour as an instant: it tells the two apart that have one local name when clocks are set back.';
comment on column smartassist_bi.queue_metrics_by_quarter.offered is 'Stays in the queue that began.';
comment on column smartassist_bi.queue_metrics_by_quarter.answered is 'Those that an agent answered.';
comment on column smartassist_bi.queue_metrics_by_quarter.answered_within is 'Those answered within reporting.service_level_seconds (or those of their channel).';
comment on column smartassist_bi.queue_metrics_by_quarter.answered_beyond is 'Those answered later, or after an unknown time.';
comment on column smartassist_bi.queue_metrics_by_quarter.abandoned is 'Stays that the customer ended.';
comment on column smartassist_bi.queue_metrics_by_quarter.abandoned_short is 'Those ended within reporting.short_abandon_seconds.';
comment on column smartassist_bi.queue_metrics_by_quarter.abandoned_within is 'Those ended within reporting.service_level_seconds (or those of their channel).';
comment on column smartassist_bi.queue_metrics_by_quarter.abandoned_beyond is 'Those ended later, or after an unknown time.';
comment on column smartassist_bi.queue_metrics_by_quarter.flowed_out is 'Stays that ended unanswered, and the next stay in a queue began.';
comment on column smartassist_bi.queue_metrics_by_quarter.voicemail is 'Stays that ended in a voicemail.';
comment on column smartassist_bi.queue_metrics_by_quarter.terminated is 'Stays that the system ended.';
comment on column smartassist_bi.queue_metrics_by_quarter.callback_opted is 'Stays in which a callback was asked for.';
comment on column smartassist_bi.queue_metrics_by_quarter.transferred_out is 'Answered stays that another destination followed.';
comment on column smartassist_bi.queue_metrics_by_quarter.closed is 'Stays that have ended.';
comment on column smartassist_bi.queue_metrics_by_quarter.answer_seconds is 'Seconds of waiting of answered stays; NULL where none is known.';
comment on column smartassist_bi.queue_metrics_by_quarter.answers_timed is 'Answered stays whose wait is known: what to divide answer_seconds by.';
comment on column smartassist_bi.queue_metrics_by_quarter.max_answer_seconds is 'The longest of these; take the maximum of it, not the sum.';
comment on column smartassist_bi.queue_metrics_by_quarter.abandon_seconds is 'Seconds of waiting of abandoned stays; NULL where none is known.';
comment on column smartassist_bi.queue_metrics_by_quarter.abandons_timed is 'Abandoned stays whose wait is known: what to divide abandon_seconds by.';
comment on column smartassist_bi.queue_metrics_by_quarter.handled is 'Answered offers whose handle_seconds are known.';
comment on column smartassist_bi.queue_metrics_by_quarter.interaction_seconds is 'Seconds of agents with customers, hold included.';
comment on column smartassist_bi.queue_metrics_by_quarter.hold_seconds is 'Seconds on hold; NULL where the API sends none.';
comment on column smartassist_bi.queue_metrics_by_quarter.with_hold is 'Answered offers whose hold_seconds are known.';
comment on column smartassist_bi.queue_metrics_by_quarter.after_call_work_seconds is 'Seconds of after-call work.';
comment on column smartassist_bi.queue_metrics_by_quarter.handle_seconds is 'Seconds of both, of what is counted in handled.';
comment on column smartassist_bi.queue_metrics_by_quarter.conversations_with_after_call_work is 'Answered offers with after-call work.';
comment on column smartassist_bi.queue_metrics_by_quarter.csat_sum is 'Customer satisfaction scores, added up, each for the last agent who answered.';
comment on column smartassist_bi.queue_metrics_by_quarter.csat_answers is 'Number of these scores.';

create view smartassist_bi.agent_metrics_by_day as
select
    counted.date,
    counted.account_id,
    counted.agent_key,
    counted.agent_label,
    counted.channel,
    counted.direction,
    sum(counted.offered) as offered,
    sum(counted.answered) as answered,
    sum(counted.missed) as missed,
    sum(counted.taken_away) as taken_away,
    sum(counted.transferred_out) as transferred_out,
    sum(counted.consultations) as consultations,
    sum(counted.pickup_seconds) as pickup_seconds,
    sum(counted.picked_up) as picked_up,
    sum(counted.first_response_seconds) as first_response_seconds,
    sum(counted.responded) as responded,
    sum(counted.accepted) as accepted,
    sum(counted.handled) as handled,
    sum(counted.interaction_seconds) as interaction_seconds,
    sum(counted.hold_seconds) as hold_seconds,
    sum(counted.with_hold) as with_hold,
    sum(counted.after_call_work_seconds) as after_call_work_seconds,
    sum(counted.handle_seconds) as handle_seconds,
    sum(counted.with_after_call_work) as conversations_with_after_call_work,
    sum(counted.csat_sum) as csat_sum,
    sum(counted.csat_answers) as csat_answers
from (
    select
        o.assigned_on as date,
        o.account_id,
        o.agent_key,
        o.agent_label,
        o.channel,
        o.direction,
        o.offered,
        o.answered,
        o.missed,
        o.taken_away,
        o.transferred_out,
        o.consultations,
        o.pickup_seconds,
        (o.pickup_seconds is not null)::integer as picked_up,
        o.first_response_seconds,
        (o.first_response_seconds is not null)::integer as responded,
        0 as accepted,
        0 as handled,
        null::integer as interaction_seconds,
        null::integer as hold_seconds,
        0 as with_hold,
        null::integer as after_call_work_seconds,
        null::bigint as handle_seconds,
        0 as with_after_call_work,
        null::integer as csat_sum,
        0 as csat_answers
    from smartassist_bi.agent_offers as o
    union all
    select
        o.accepted_on,
        o.account_id,
        o.agent_key,
        o.agent_label,
        o.channel,
        o.direction,
        0, 0, 0, 0, 0, 0, null, 0, null, 0,
        1,
        o.handled,
        o.interaction_seconds,
        o.hold_seconds,
        (o.hold_seconds is not null)::integer,
        o.after_call_work_seconds,
        o.handle_seconds,
        o.with_after_call_work,
        o.csat_score,
        (o.csat_score is not null)::integer
    from smartassist_bi.agent_offers as o
    where o.answered = 1
) as counted
group by counted.date, counted.account_id, counted.agent_key, counted.agent_label, counted.channel, counted.direction;

comment on view smartassist_bi.agent_metrics_by_day is
    'What the vendor''s report Agent Metrics Daily counts, by local day, agent, channel and direction. Every column can be summed; divide sums. Offers count on the day of the offer, handling on the day of the acceptance. Contains personal data of agents.';
comment on column smartassist_bi.agent_metrics_by_day.date is 'The local day.';
comment on column smartassist_bi.agent_metrics_by_day.offered is 'Offers to the agent.';
comment on column smartassist_bi.agent_metrics_by_day.answered is 'Those that the agent answered.';
comment on column smartassist_bi.agent_metrics_by_day.missed is 'Those that the agent ignored, or that the end of the session ended.';
comment on column smartassist_bi.agent_metrics_by_day.taken_away is 'Those that another event ended.';
comment on column smartassist_bi.agent_metrics_by_day.transferred_out is 'Answered offers that another destination followed.';
comment on column smartassist_bi.agent_metrics_by_day.pickup_seconds is 'Seconds from offers to acceptances.';
comment on column smartassist_bi.agent_metrics_by_day.picked_up is 'Offers whose pickup_seconds are known.';
comment on column smartassist_bi.agent_metrics_by_day.first_response_seconds is 'Seconds from acceptances to first responses.';
comment on column smartassist_bi.agent_metrics_by_day.responded is 'Offers whose first_response_seconds are known.';
comment on column smartassist_bi.agent_metrics_by_day.accepted is 'Answered offers, on the day of the acceptance: the seconds below are theirs.';
comment on column smartassist_bi.agent_metrics_by_day.handled is 'Answered offers whose handle_seconds are known.';
comment on column smartassist_bi.agent_metrics_by_day.interaction_seconds is 'Seconds with customers, hold included.';
comment on column smartassist_bi.agent_metrics_by_day.hold_seconds is 'Seconds on hold; NULL where the API sends none.';
comment on column smartassist_bi.agent_metrics_by_day.with_hold is 'Answered offers whose hold_seconds are known.';
comment on column smartassist_bi.agent_metrics_by_day.after_call_work_seconds is 'Seconds of after-call work.';
comment on column smartassist_bi.agent_metrics_by_day.handle_seconds is 'Seconds of both, of what is counted in handled.';
comment on column smartassist_bi.agent_metrics_by_day.conversations_with_after_call_work is 'Answered offers with after-call work.';
comment on column smartassist_bi.agent_metrics_by_day.csat_sum is 'Customer satisfaction scores, added up, each for the last agent who answered.';
comment on column smartassist_bi.agent_metrics_by_day.csat_answers is 'Number of these scores.';

create function smartassist_bi.backlog(from_at timestamptz, to_at timestamptz, step interval)
returns table (at timestamptz, account_id text, queue_key text, queue_label text, waiting bigint, longest_wait_seconds bigint)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
begin
    return query
    -- A step of a day is 24 hours, whatever clocks do.
    with length as (
        select make_interval(secs => date_part('epoch', step)) as step
    ),
    waits as materialized (
        select v.account_id, v.queue_key, v.entered_at, coalesce(v.left_at, v.session_started_at + interval '3 days') as left_at
        from smartassist_bi.queue_visits as v
        where v.entered_at < to_at and (v.left_at > from_at or v.outcome = 'waiting' and v.session_started_at > from_at - interval '3 days')
    ),
    -- Each wait at the instants that it lasts over.
    seen as (
        select instant.at, w.account_id, w.queue_key, count(*) as waiting, min(w.entered_at) as first_entered_at
        from waits as w
        cross join length
        cross join lateral generate_series(
            from_at + length.step * ceil(greatest(date_part('epoch', w.entered_at - from_at), 0) / date_part('epoch', length.step)),
            least(w.left_at - interval '1 microsecond', to_at - interval '1 microsecond', now()),
            length.step
        ) as instant (at)
        group by instant.at, w.account_id, w.queue_key
    )
    select
        instant.at,
        queue.account_id,
        queue.queue_key,
        queue.queue_label,
        coalesce(seen.waiting, 0),
        coalesce(date_part('epoch', instant.at - seen.first_entered_at)::bigint, 0)
    from length
    cross join generate_series(from_at, least(to_at - interval '1 microsecond', now()), length.step) as instant (at)
    cross join smartassist_bi.queues as queue
    left join seen on seen.at = instant.at and seen.account_id = queue.account_id and seen.queue_key = queue.queue_key;
end
$$;

comment on function smartassist_bi.backlog(timestamptz, timestamptz, interval) is
    'How many interactions waited in each queue at each instant from from_at, before to_at, and how long the longest had: one row per instant and queue, also where nobody waited. What is waiting now is as of the last poll; a session whose end the API never shows waits for three days from its start.';

create function smartassist_bi.workload(from_at timestamptz, to_at timestamptz, step interval)
returns table (at timestamptz, account_id text, queue_label text, channel text, work_seconds bigint, erlangs double precision, agents_at_work bigint)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
    -- Instants are seconds from from_at on. A step of a day is 24 hours, whatever clocks do.
    length constant double precision := date_part('epoch', step);
    span constant double precision := date_part('epoch', to_at - from_at);
begin
    return query
    with work as (
        select
            o.account_id,
            o.queue_key,
            o.channel,
            o.agent_key,
            greatest(date_part('epoch', o.accepted_at - from_at), 0) as begun,
            least(date_part('epoch', o.work_ended_at - from_at), span) as ended
        from smartassist_bi.agent_offers as o
        where o.outcome = 'answered' and o.accepted_at < to_at and o.work_ended_at > from_at and o.work_ended_at > o.accepted_at
            and span > 0 and length > 0
    ),
    cut as (
        select w.*, generate_series(floor(w.begun / length)::bigint, ceil(w.ended / length)::bigint - 1) as number
        from work as w
    ),
    summed as (
        select
            c.number,
            c.account_id,
            c.queue_key,
            c.channel,
            sum(least(c.ended, (c.number + 1) * length) - greatest(c.begun, c.number * length)) as seconds,
            count(distinct c.agent_key) as agents
        from cut as c
        group by c.number, c.account_id, c.queue_key, c.channel
    )
    select
        from_at + make_interval(secs => s.number * length),
        s.account_id,
        coalesce(q.queue_label, s.queue_key, '(direct)'),
        s.channel,
        s.seconds::bigint,
        -- The last interval may be shorter.
        round(s.seconds / least(length, span - s.number * length) * 1000) / 1000,
        s.agents
    from summed as s
    left join smartassist_bi.queues as q on q.account_id = s.account_id and q.queue_key = s.queue_key;
end
$$;

comment on function smartassist_bi.workload(timestamptz, timestamptz, interval) is
    'Agents'' finished work, from acceptance to the end of after-call work (what is in hand counts once it has ended), clipped to each interval from from_at, before to_at, by queue and channel: seconds, Erlangs (seconds by the length of the interval, of which the last may be shorter than step), and agents who had any. Several conversations at a time count several times.';

-- A column means in a view what it means in the fact that it comes from.
do $$
declare
    target record;
begin
    for target in
        select c.oid as relation, a.attnum, format('%I.%I.%I', n.nspname, c.relname, a.attname) as name, (
            select col_description(origin.oid, of_origin.attnum)
            from pg_class as origin
            join pg_attribute as of_origin on of_origin.attrelid = origin.oid and of_origin.attname = a.attname
            where origin.relnamespace = 'smartassist'::regnamespace and origin.relkind = 'r'
                and col_description(origin.oid, of_origin.attnum) is not null
            order by
                -- The table of the same name, the fact of the same kind, then what it is made from.
                origin.relname = c.relname desc,
                origin.relname = 'fact_' || c.relname desc,
                array_position(array['reporting', 'queues', 'agents', 'fact_queue_visits', 'fact_agent_offers', 'fact_interactions', 'sessions'], origin.relname::text)
            limit 1
        ) as description
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0
        where n.nspname in ('smartassist', 'smartassist_bi') and c.relkind in ('r', 'v') and col_description(c.oid, a.attnum) is null
    loop
        if target.description is not null then
            execute format('comment on column %s is %L', target.name, target.description);
        end if;
    end loop;
end
$$;
