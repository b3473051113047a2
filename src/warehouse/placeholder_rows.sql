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
