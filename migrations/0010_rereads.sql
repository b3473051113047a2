-- What a refresh asks before it reads: which windows were read since it began, and which old sessions are still open.

-- "What of this stretch was read since?" (every refresh; the ledger grows with every poll)
create index windows_by_account_drained_started_at on smartassist_sync.windows (account_id, started_at) where status = 'drained';

-- "Which sessions are still open?" (every refresh; without it, all sessions of weeks would be looked through for a few.) The price: the one update
-- that ends a session touches the indexes.
create index sessions_by_account_open on smartassist.sessions (account_id, session_started_at) where session_ended_at is null;

comment on index smartassist_sync.windows_by_account_drained_started_at is
    'Serves: which windows were drained since an instant.';
comment on index smartassist.sessions_by_account_open is
    'Serves: which sessions have no end yet.';
