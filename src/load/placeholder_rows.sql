-- A row in each table that holds values of records, which holds none; deleted in the same transaction. An account's id has no such form.
insert into smartassist.sessions (account_id, interaction_id, session_started_at, content_hash, first_seen_at, last_changed_at)
values ('-', '-', now(), '', now(), now());
insert into smartassist.destinations (account_id, interaction_id, destination_index) values ('-', '-', 0);
insert into smartassist.agent_segments (account_id, interaction_id, destination_index, segment_index, response)
values ('-', '-', 0, 0, 'direct');
insert into smartassist.consultations (account_id, interaction_id, destination_index, segment_index, consultation_index)
values ('-', '-', 0, 0, 0);
insert into smartassist.joined_users (account_id, interaction_id, destination_index, segment_index, user_index) values ('-', '-', 0, 0, 0);
insert into smartassist.tags (account_id, interaction_id, tag_scope, tag_index) values ('-', '-', 'session', 0);
insert into smartassist.raw_interactions (account_id, interaction_id, payload, time_zone_offset, fetched_at) values ('-', '-', 'null', 0, now());
insert into smartassist_sync.rejected_records (account_id, range, reason, payload, payload_hash, time_zone_offset, first_seen_at, last_seen_at)
values ('-', tstzrange(now(), now() + interval '1 second'), '', '', sha256(''), 0, now(), now());
