-- A row in each table that holds values of records, which holds none; deleted in the same transaction. An account's id has no such form.
insert into smartassist.sessions (interaction_key, account_id, session_id, session_started_at, content_hash, first_seen_at, last_changed_at)
values ('00000000-0000-0000-0000-000000000000', '-', '-', now(), '', now(), now());
insert into smartassist.destinations (interaction_key, destination_index) values ('00000000-0000-0000-0000-000000000000', 0);
insert into smartassist.agent_segments (interaction_key, destination_index, segment_index, response) values ('00000000-0000-0000-0000-000000000000', 0, 0, 'direct');
insert into smartassist.consultations (interaction_key, destination_index, segment_index, consultation_index) values ('00000000-0000-0000-0000-000000000000', 0, 0, 0);
insert into smartassist.joined_users (interaction_key, destination_index, segment_index, user_index) values ('00000000-0000-0000-0000-000000000000', 0, 0, 0);
insert into smartassist.tags (interaction_key, tag_scope, tag_index) values ('00000000-0000-0000-0000-000000000000', 'session', 0);
insert into smartassist.raw_interactions (interaction_key, payload, time_zone_offset, fetched_at) values ('00000000-0000-0000-0000-000000000000', 'null', 0, now());
insert into smartassist_sync.rejected_records (account_id, range, reason, payload, payload_hash, time_zone_offset, first_seen_at, last_seen_at)
values ('-', tstzrange(now(), now() + interval '1 second'), '', '', sha256(''), 0, now(), now());
insert into smartassist.reporting (account_id) values ('-');
insert into smartassist.queues (account_id, queue_key, queue_name, queue_label, last_seen_at) values ('-', '-', '-', '-', 'epoch');
insert into smartassist.agents (account_id, agent_key, agent_name, agent_label, last_seen_at) values ('-', '-', '-', '-', 'epoch');
insert into smartassist.fact_queue_visits (
    interaction_key, destination_index, account_id, entered_quarter_local, entered_on, entered_quarter, session_started_at, channel, direction,
    visit_number, queue_key, outcome, transferred_out, callback_opted, callback_connected
)
values ('00000000-0000-0000-0000-000000000000', 0, '-', 'epoch', 'epoch', 'epoch', 'epoch', '-', '-', 1, '-', '-', 0, 0, 0);
insert into smartassist.fact_agent_offers (
    interaction_key, destination_index, segment_index, account_id, assigned_quarter_local, assigned_on, assigned_quarter, session_started_at, channel,
    direction, agent_key, outcome, transferred_out, consultations, consultations_merged
)
values ('00000000-0000-0000-0000-000000000000', 0, 0, '-', 'epoch', 'epoch', 'epoch', 'epoch', '-', '-', '-', '-', 0, 0, 0);
insert into smartassist.fact_interactions (
    interaction_key, account_id, started_quarter_local, started_on, started_quarter, session_started_at, channel, direction, outcome, conversations,
    dispositions, destination_count, queue_visits, segment_count, answered_segment_count, transfers, consultations
)
values ('00000000-0000-0000-0000-000000000000', '-', 'epoch', 'epoch', 'epoch', 'epoch', '-', '-', '-', 0, '{}', 0, 0, 0, 0, 0, 0);
insert into smartassist.fact_contacts (
    interaction_key, account_id, contact_key, started_quarter_local, started_on, session_started_at, channel, direction
)
values ('00000000-0000-0000-0000-000000000000', '-', '00000000-0000-0000-0000-000000000000', 'epoch', 'epoch', 'epoch', '-', '-');
