insert into smartassist_sync.accounts (account_id, name, start_from, coverage, settled)
values ('acct', 'main', '2026-01-01', '{[2026-01-01, 2026-01-11)}', '{[2026-01-01, 2026-01-10)}');
insert into smartassist_sync.leases (account_id, holder, token, expires_at) values ('acct', 'worker', 7, now());
insert into smartassist_sync.runs (account_id, kind, policy, status, finished_at, error_code, error)
values ('acct', 'poll', null, 'succeeded', now(), null, null), ('acct', 'refresh', 'hourly', 'failed', now(), 'gap', 'gaps remain: 1');
insert into smartassist_sync.windows (account_id, run_id, range, purpose, status, token)
select account_id, id, tstzrange '[2026-01-01, 2026-01-11)', 'new', 'drained', 7 from smartassist_sync.runs
union all
select account_id, id, tstzrange '[2026-01-11, 2026-01-12)', 'new', 'gap', 7 from smartassist_sync.runs;
insert into smartassist_sync.requests (account_id, purpose, range, remaining) values ('acct', 'backfill', '{[2026-01-01, 2026-01-02)}', '{[2026-01-01, 2026-01-02)}');
insert into smartassist_sync.rejected_records (account_id, range, reason, payload, payload_hash, time_zone_offset)
values ('acct', '[2026-01-01, 2026-01-11)', 'of a test', '{}', sha256('{}'), 0);
insert into smartassist_sync.rejections_by_day (account_id, day, kept) values ('acct', '2026-01-10', 1);
insert into smartassist_sync.absences (account_id, interaction_key, first_missed_at)
select account_id, interaction_key, now() from smartassist.sessions;
insert into smartassist_sync.problems (account_id, code, detail, since, last_seen_at) values ('acct', 'time_zone', '60 min', now(), now());
insert into smartassist_sync.erasures (kind, value_hash, key_id) values ('phone', sha256('x'), sha256('k'));
insert into smartassist_sync.schema_drift (account_id, path, json_type, first_seen_at, last_seen_at, times_seen)
values ('acct', 'novel', 'string', now(), now(), 1);
insert into smartassist_sync.changes_by_age (account_id, age_from_seconds, reread, changed) values ('acct', 900, 7, 1);
insert into smartassist_sync.interactions_by_day (account_id, day, interactions) values ('acct', '2026-01-10', 3);
