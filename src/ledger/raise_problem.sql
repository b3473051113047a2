-- A repeated problem is written about once a minute. Returns true if it is new, no row if nothing was
-- written.
insert into smartassist_sync.problems as problem (account_id, code, detail, since, last_seen_at)
values ($1, $2, left($3, 250), statement_timestamp(), statement_timestamp())
on conflict (account_id, stream, code) do update
set detail = excluded.detail, last_seen_at = excluded.last_seen_at
where problem.detail is distinct from excluded.detail or problem.last_seen_at < excluded.last_seen_at - interval '1 minute'
returning problem.since = problem.last_seen_at
