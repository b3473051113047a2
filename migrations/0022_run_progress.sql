-- What operators ask of a run: how far it is, what stood in its way, what to do about it. In the books, so that every replica, `status` and the
-- page tell the same of it, whichever process works.

-- A worker of an earlier version holds sessions when it comes to the ledger; in this order nobody waits for the other.
lock table smartassist.sessions in share row exclusive mode;

alter table smartassist_sync.runs
    add column requests_left bigint,
    add column progress_at timestamptz,
    add column retries bigint not null default 0,
    add column rate_limited bigint not null default 0,
    add column api_clock_ahead_seconds bigint,
    add column time_zone_disagreement_minutes bigint,
    add column remedy text;
alter table smartassist_sync.windows
    add column retries bigint not null default 0,
    add column rate_limited bigint not null default 0;

-- "When was this account last polled to the end?" (one row at the tip of the index, however long ago that is)
create index runs_by_account_polled on smartassist_sync.runs (account_id, finished_at desc)
where status = 'succeeded' and kind in ('poll', 'sync');

comment on index smartassist_sync.runs_by_account_polled is
    'Serves: the last poll of an account that succeeded.';
comment on column smartassist_sync.runs.requests_left is
    'Requests that are still to come, roughly; written every few seconds while the run goes on. NULL where nothing is known of it.';
comment on column smartassist_sync.runs.progress_at is
    'Instant, by the database''s clock, at which the run was last seen to have finished a window. NULL where it has not finished any, or took no more than a few seconds.';
comment on column smartassist_sync.runs.retries is
    'Requests among those that were sent that repeat one that failed.';
comment on column smartassist_sync.runs.rate_limited is
    'Requests among those that were sent that the API turned away because of its rate limit.';
comment on column smartassist_sync.runs.api_clock_ahead_seconds is
    'Seconds by which the API''s clock was ahead of the daemon''s at the end of the run; negative: behind. NULL where no answer told.';
comment on column smartassist_sync.runs.time_zone_disagreement_minutes is
    'Minutes by which time stamps with a zone were later than those without; 0 is right. NULL where too few records tell.';
comment on column smartassist_sync.runs.remedy is
    'What an operator can do about the error. NULL where nothing went wrong, or nothing can be done.';
comment on column smartassist_sync.windows.retries is
    'Requests among those that were sent that repeat one that failed.';
comment on column smartassist_sync.windows.rate_limited is
    'Requests among those that were sent that the API turned away because of its rate limit.';
