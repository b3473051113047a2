-- The ledger: what is loaded, what was fetched, what went wrong, and who may work.
--
-- Nothing in smartassist refers to these tables, so that they can be kept, pruned or rebuilt apart from the data. Among themselves only a window
-- refers to its run: a lease or a rejected record must be writable before and after its account is configured. Every key that has the account
-- has the stream, too: what is read of an account may one day be more than interactions.

create function smartassist_sync.watermark_of(coverage tstzmultirange, start_from timestamptz)
returns timestamptz
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(
        (select upper(stretch) from unnest(coverage) as stretch where stretch @> start_from),
        start_from
    )
$$;

comment on function smartassist_sync.watermark_of(tstzmultirange, timestamptz) is
    'The end of the first unbroken stretch of coverage from start_from, or start_from where nothing is covered from there: all interactions that started before it are loaded.';

create table smartassist_sync.accounts (
    account_id text collate "C" not null,
    stream text collate "C" not null default 'interactions',
    name text not null,
    filters jsonb not null default '{}',
    filters_changed_at timestamptz,
    served_from timestamptz,
    served_from_tried_at timestamptz,
    coverage tstzmultirange not null default '{}',
    watermark timestamptz not null generated always as (smartassist_sync.watermark_of(coverage, start_from)) stored,
    settled tstzmultirange not null default '{}',
    settled_through timestamptz not null generated always as (smartassist_sync.watermark_of(settled * coverage, start_from)) stored,
    coverage_pruned tstzmultirange not null default '{}',
    folded_through bigint not null default 0,
    wanted_from timestamptz,
    start_from timestamptz not null,
    api_traits jsonb not null default '{}',
    missing_confirmed_at timestamptz,
    starts_moved_minutes bigint,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint accounts_pkey primary key (account_id, stream),
    constraint accounts_account_id_fits_key check (octet_length(account_id) between 1 and 512),
    -- An endless coverage would mean that nothing is ever left to fetch. (An empty one has no bounds, and NULL passes a check.)
    constraint accounts_coverage_bounded check (
        not lower_inf(coverage) and not upper_inf(coverage) and isfinite(lower(coverage)) and isfinite(upper(coverage))
    ),
    constraint accounts_settled_bounded check (
        not lower_inf(settled) and not upper_inf(settled) and isfinite(lower(settled)) and isfinite(upper(settled))
    ),
    constraint accounts_start_from_finite check (isfinite(start_from))
);

comment on table smartassist_sync.accounts is
    'One row per configured account and stream: what is loaded, and from where on.';
comment on column smartassist_sync.accounts.account_id is
    'The SmartAssist account, as configured. Part of the key.';
comment on column smartassist_sync.accounts.stream is
    'What is read of the account: interactions, today the only one. Part of the key.';
comment on column smartassist_sync.accounts.name is
    'The name of the account in the configuration; used in logs and metrics.';
comment on column smartassist_sync.accounts.filters is
    'What the coverage was read with: stream, selected fields, filters and extra body. Coverage begins anew when it changes. An empty object means that nothing was read yet.';
comment on column smartassist_sync.accounts.filters_changed_at is
    'Instant at which the filters last became others. Interactions and gaps of before are not judged by what is read since. NULL: they never changed.';
comment on column smartassist_sync.accounts.served_from is
    'Instant from which on the API serves interactions, to a minute, as it was found when older windows were refused. NULL where none were. While wanted_from is earlier, one request a day asks for older ones.';
comment on column smartassist_sync.accounts.served_from_tried_at is
    'Instant, by the database''s clock, at which what is older than served_from was last asked for.';
comment on column smartassist_sync.accounts.coverage is
    'Every instant whose window was drained at least once, as half-open ranges. What is left to fetch is what is wanted less this; what is read again stays covered, unless it is found to be a gap.';
comment on column smartassist_sync.accounts.watermark is
    'Instant before which all interactions that started are loaded: the end of the first unbroken stretch of the coverage from start_from, or start_from itself where that stretch is empty.';
comment on column smartassist_sync.accounts.settled is
    'Every instant that was drained by a window that began at least sync.late_minutes after it, as half-open ranges.';
comment on column smartassist_sync.accounts.settled_through is
    'Instant before which all interactions that started were read once more sync.late_minutes after they started: the end of the first unbroken stretch from start_from that is both covered and settled. Interactions that are published later than that, as long ones may be, are found by later refreshes.';
comment on column smartassist_sync.accounts.coverage_pruned is
    'What the windows up to folded_through have drained, added up at each clean-up (storage.clean_up) and after each sync: they are deleted after 90 days, and coverage is still proven.';
comment on column smartassist_sync.accounts.folded_through is
    'Number of the newest window that coverage_pruned holds.';
comment on column smartassist_sync.accounts.wanted_from is
    'Instant from which interactions are wanted: the configured start_from, or 30 days before the first run where none is configured; later where retention keeps less. NULL until a version that knows it has worked on the account.';
comment on column smartassist_sync.accounts.start_from is
    'Instant from which interactions are loaded: wanted_from, or served_from where that is later.';
comment on column smartassist_sync.accounts.api_traits is
    'What was found out about how the API behaves for this account: its paging, its totals, what it compares ranges with. An empty object where nothing is known yet; emptying it has it found out again.';
comment on column smartassist_sync.accounts.missing_confirmed_at is
    'Instant at which an operator last confirmed that what is missing in bulk is gone (confirm-missing). What was first missed before is marked without being counted. NULL: never.';
comment on column smartassist_sync.accounts.starts_moved_minutes is
    'Minutes by which the starts of many sessions moved between two readings, the zone of the API''s stamps having changed. NULL where they did not, have moved back, or session ids say that they are right.';
comment on column smartassist_sync.accounts.created_at is
    'Instant at which the account was first seen in the configuration.';
comment on column smartassist_sync.accounts.updated_at is
    'Instant at which this row was last written.';

create table smartassist_sync.leases (
    account_id text collate "C" not null,
    stream text collate "C" not null default 'interactions',
    holder text not null,
    token bigint not null,
    expires_at timestamptz not null,
    awaited_at timestamptz,
    spent integer[] not null default '{}',
    spent_at timestamptz,
    constraint leases_pkey primary key (account_id, stream),
    -- PostgreSQL lets a row be locked for its key while other columns of it are written. With the token part of a key, whoever takes the lease
    -- waits for those who prove it, and whoever renews it does not.
    constraint leases_token_key unique (account_id, stream, token),
    constraint leases_account_id_fits_key check (octet_length(account_id) between 1 and 512),
    constraint leases_token_positive check (token > 0)
);

comment on table smartassist_sync.leases is
    'Who may work on an account now. One worker per account and stream; every commit checks the token.';
comment on column smartassist_sync.leases.account_id is
    'The SmartAssist account. Part of the key.';
comment on column smartassist_sync.leases.stream is
    'What is read of the account: interactions, today the only one. Part of the key.';
comment on column smartassist_sync.leases.holder is
    'The worker that holds the lease.';
comment on column smartassist_sync.leases.token is
    'Fencing token: grows with every new holder, never goes back.';
comment on column smartassist_sync.leases.expires_at is
    'Instant after which another worker may take the lease.';
comment on column smartassist_sync.leases.awaited_at is
    'Instant at which a daemon asked for the lease: a command that holds it hands it over. NULL where nobody asked the present holder.';
comment on column smartassist_sync.leases.spent is
    'Requests of the last hour by the minutes that have passed since, the last minute first: the next holder counts them against the limits of the API.';
comment on column smartassist_sync.leases.spent_at is
    'Instant to which spent counts back. NULL where nothing was spent.';

create table smartassist_sync.requests (
    id bigint generated always as identity,
    account_id text collate "C" not null,
    stream text collate "C" not null default 'interactions',
    purpose text not null,
    policy text,
    range tstzmultirange not null,
    remaining tstzmultirange not null,
    since timestamptz not null default '-infinity',
    due_at timestamptz,
    rules integer not null default 0,
    filters_digest bytea,
    state text not null default 'open',
    ticks integer not null default 1,
    requested_by text not null default current_user,
    requested_at timestamptz not null default clock_timestamp(),
    progress_at timestamptz,
    cancel_requested_at timestamptz,
    done_at timestamptz,
    error_code text,
    error text,
    remedy text,
    by_identity boolean not null default false,
    compared jsonb,
    constraint requests_pkey primary key (id),
    constraint requests_account_id_fits_key check (octet_length(account_id) between 1 and 512),
    constraint requests_done_unless_open check ((state = 'open') = (done_at is null)),
    constraint requests_purpose_known check (purpose in ('refresh', 'open', 'backfill', 'verify', 'repair')),
    constraint requests_policy_of_refresh check ((policy is not null) = (purpose in ('refresh', 'open'))),
    constraint requests_range_bounded check (
        not isempty(range) and not lower_inf(range) and not upper_inf(range)
        and lower(range) >= '2000-01-01 00:00:00+00' and isfinite(upper(range))
    ),
    constraint requests_remaining_of_range check (remaining <@ range),
    constraint requests_state_known check (state in ('open', 'done', 'partial', 'cancelled', 'refused')),
    constraint requests_ticks_positive check (ticks > 0)
);
create unique index requests_one_of_policy on smartassist_sync.requests (account_id, stream, policy) where state = 'open' and policy is not null;
create index requests_open on smartassist_sync.requests (account_id, id) where state = 'open';
create index requests_by_policy on smartassist_sync.requests (account_id, policy, due_at desc) where policy is not null;

comment on table smartassist_sync.requests is
    'What is to be read besides the head and gaps that are due: refreshes, open sessions, backfills, verifications. Whoever holds the account''s lease reads it.';
comment on column smartassist_sync.requests.id is
    'Number of the request. The key.';
comment on column smartassist_sync.requests.account_id is
    'The SmartAssist account.';
comment on column smartassist_sync.requests.stream is
    'What is read of the account: interactions, today the only one.';
comment on column smartassist_sync.requests.purpose is
    'Why: refresh (may have changed), open (sessions without an end), backfill, verify (compare with the API, store nothing) or repair (days that differ).';
comment on column smartassist_sync.requests.policy is
    'Name of the refresh policy that asked, as in sync.refresh; open is built in. NULL for a command.';
comment on column smartassist_sync.requests.range is
    'What was asked for, in whole seconds.';
comment on column smartassist_sync.requests.remaining is
    'What of it is still to be read. The window that drains a stretch takes it out of every request that it serves, in its own transaction.';
comment on column smartassist_sync.requests.since is
    'Instant, by the database''s clock: windows that began earlier do not serve the request. -infinity where it is enough to have been read at any time.';
comment on column smartassist_sync.requests.due_at is
    'The tick of the policy''s schedule that it answers, by the clock of whoever asked. NULL for a command.';
comment on column smartassist_sync.requests.rules is
    'Version of the transform that is demanded at least: an older program leaves the request to a newer one.';
comment on column smartassist_sync.requests.filters_digest is
    'Hash of the account''s filters that it was made under. NULL where any will do.';
comment on column smartassist_sync.requests.state is
    'open; done; partial (what is left could not be read, and is said in error); cancelled; refused (it could not be served).';
comment on column smartassist_sync.requests.ticks is
    'How often it was asked for: a refresh policy that comes due again while its request is open only counts up.';
comment on column smartassist_sync.requests.requested_by is
    'Who asked: a worker, or the role that wrote the row.';
comment on column smartassist_sync.requests.requested_at is
    'Instant at which it was asked for.';
comment on column smartassist_sync.requests.progress_at is
    'Instant at which a window last served it. NULL before the first.';
comment on column smartassist_sync.requests.cancel_requested_at is
    'Instant at which its end was asked for. NULL where it was not.';
comment on column smartassist_sync.requests.done_at is
    'Instant at which it ended. NULL while it is open, and only then.';
comment on column smartassist_sync.requests.error_code is
    'What was wrong with it at its end, as a word that an alert can use. NULL where nothing was.';
comment on column smartassist_sync.requests.error is
    'The same in words, without personal data.';
comment on column smartassist_sync.requests.remedy is
    'What to do about it. NULL where nothing helps or nothing was wrong.';
comment on column smartassist_sync.requests.by_identity is
    'Whether verify is to read every day whole, also where totals agree.';
comment on column smartassist_sync.requests.compared is
    'What verify found so far, by day: figures alone. NULL for other purposes.';
comment on index smartassist_sync.requests_one_of_policy is
    'One open request for each policy: a tick meanwhile only counts up.';
comment on index smartassist_sync.requests_open is
    'Serves: what an account is to read.';
comment on index smartassist_sync.requests_by_policy is
    'Serves: whether a tick of a policy was answered.';

create table smartassist_sync.runs (
    id bigint generated always as identity,
    account_id text collate "C" not null,
    stream text collate "C" not null default 'interactions',
    kind text not null,
    policy text,
    request_id bigint,
    status text not null default 'running',
    holder text,
    token bigint,
    windows bigint not null default 0,
    pages bigint not null default 0,
    requests bigint not null default 0,
    records bigint not null default 0,
    distinct_records bigint not null default 0,
    inserted bigint not null default 0,
    updated bigint not null default 0,
    unchanged bigint not null default 0,
    rejected bigint not null default 0,
    watermark_before timestamptz,
    watermark_after timestamptz,
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    missing bigint not null default 0,
    judged bigint not null default 0,
    missed bigint not null default 0,
    left_out bigint not null default 0,
    requests_left bigint,
    progress_at timestamptz,
    retries bigint not null default 0,
    rate_limited bigint not null default 0,
    api_clock_ahead_seconds bigint,
    time_zone_disagreement_minutes bigint,
    remedy text,
    error_code text,
    error text,
    constraint runs_pkey primary key (id),
    constraint runs_error_code_is_a_word check (error_code ~ '^[a-z_]{1,64}$'),
    constraint runs_finished_unless_running check ((status = 'running') = (finished_at is null)),
    constraint runs_kind_known check (kind in ('poll', 'refresh', 'backfill', 'sync', 'verify', 'replay')),
    constraint runs_status_known check (status in ('running', 'succeeded', 'failed', 'skipped', 'interrupted'))
);
create index runs_by_account_poll_ended on smartassist_sync.runs (account_id, id desc) where kind in ('poll', 'sync') and status in ('succeeded', 'failed');
create index runs_by_account_polled on smartassist_sync.runs (account_id, finished_at desc) where status = 'succeeded' and kind in ('poll', 'sync');
create index runs_by_account_running on smartassist_sync.runs (account_id) where status = 'running';
create index runs_by_account_replayed on smartassist_sync.runs (account_id, id desc) where kind = 'replay';
create index runs_by_account_started_at on smartassist_sync.runs (account_id, started_at desc);
create index runs_by_request on smartassist_sync.runs (request_id, id desc) where request_id is not null;

comment on table smartassist_sync.runs is
    'One row per run: the work of one process on one request, or on what is new. Counters are sums over its windows.';
comment on column smartassist_sync.runs.id is
    'Number of the run. The key.';
comment on column smartassist_sync.runs.account_id is
    'The SmartAssist account that the run worked on.';
comment on column smartassist_sync.runs.stream is
    'What is read of the account: interactions, today the only one.';
comment on column smartassist_sync.runs.kind is
    'What the run was for: poll, refresh, backfill, sync, verify or replay.';
comment on column smartassist_sync.runs.policy is
    'The refresh policy that the run served, by its name in sync.refresh. NULL for a run that is no refresh.';
comment on column smartassist_sync.runs.request_id is
    'The request that the run worked on, as in smartassist_sync.requests. NULL for a poll, a sync or a replay.';
comment on column smartassist_sync.runs.status is
    'running; succeeded; failed; skipped (another worker had the account); interrupted (stopped before its end, or its worker died).';
comment on column smartassist_sync.runs.holder is
    'The worker that ran it, as in smartassist_sync.leases. NULL for a run without a lease.';
comment on column smartassist_sync.runs.token is
    'Fencing token of the lease that it ran under. NULL for a run without a lease.';
comment on column smartassist_sync.runs.windows is
    'Windows that the run finished, drained or not.';
comment on column smartassist_sync.runs.pages is
    'Pages that were read to their end.';
comment on column smartassist_sync.runs.requests is
    'Requests that were sent to the API, retries included.';
comment on column smartassist_sync.runs.records is
    'Records that were received, repetitions included.';
comment on column smartassist_sync.runs.distinct_records is
    'Different records among those received, summed over the windows.';
comment on column smartassist_sync.runs.inserted is
    'Interactions that were stored for the first time.';
comment on column smartassist_sync.runs.updated is
    'Interactions that were stored in a changed version, or came back after they were missing.';
comment on column smartassist_sync.runs.unchanged is
    'Interactions that were received again as already stored, and not written.';
comment on column smartassist_sync.runs.rejected is
    'Records that could not become rows.';
comment on column smartassist_sync.runs.watermark_before is
    'Watermark of the account when the run began.';
comment on column smartassist_sync.runs.watermark_after is
    'Watermark of the account when the run ended. NULL while it runs.';
comment on column smartassist_sync.runs.started_at is
    'Instant at which the run began.';
comment on column smartassist_sync.runs.finished_at is
    'Instant at which the run ended. NULL while it runs, and only then.';
comment on column smartassist_sync.runs.missing is
    'Interactions that were marked as no longer returned by the API, by its windows or at its end.';
comment on column smartassist_sync.runs.judged is
    'Stored interactions that its windows had to return, by what the API compares ranges with; where that is unknown, those wholly inside. Summed over the windows.';
comment on column smartassist_sync.runs.missed is
    'Of those judged, the ones that it did not return, superseded ones apart.';
comment on column smartassist_sync.runs.left_out is
    'Interactions that were received and are not to be stored: their customer was erased, or they are older than storage.retention_days.';
comment on column smartassist_sync.runs.requests_left is
    'Requests that are still to come, roughly; written every few seconds while the run goes on. NULL where nothing is known of it.';
comment on column smartassist_sync.runs.progress_at is
    'Instant, by the database''s clock, at which the run was last seen to have finished a window (a comparison: to have asked for a page; a replay: to have written). NULL where it has not, or took no more than a few seconds.';
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
comment on column smartassist_sync.runs.error_code is
    'The same in one word that does not change, for alarms: a code of smartassist_sync.problems, gap, api_…, database_… and others. NULL where nothing went wrong.';
comment on column smartassist_sync.runs.error is
    'Why the run failed or was interrupted, without personal data. NULL where nothing went wrong.';
comment on index smartassist_sync.runs_by_account_poll_ended is
    'Serves: whether the last poll of an account failed.';
comment on index smartassist_sync.runs_by_account_polled is
    'Serves: the last poll of an account that succeeded.';
comment on index smartassist_sync.runs_by_account_running is
    'Serves: which runs a worker that died left open.';
comment on index smartassist_sync.runs_by_account_started_at is
    'Serves: how the last runs of an account went.';
comment on index smartassist_sync.runs_by_request is
    'Serves: how the newest run of a request ended.';

create table smartassist_sync.windows (
    id bigint generated always as identity,
    account_id text collate "C" not null,
    stream text collate "C" not null default 'interactions',
    run_id bigint not null,
    range tstzrange not null,
    purpose text not null,
    status text not null,
    token bigint not null,
    began_at timestamptz not null default clock_timestamp(),
    rules integer not null default 0,
    profile jsonb,
    proof text,
    pages bigint not null default 0,
    requests bigint not null default 0,
    records bigint not null default 0,
    distinct_records bigint not null default 0,
    reported_total bigint,
    inserted bigint not null default 0,
    updated bigint not null default 0,
    unchanged bigint not null default 0,
    rejected bigint not null default 0,
    started_at timestamptz not null default now(),
    finished_at timestamptz not null default now(),
    missing bigint not null default 0,
    left_out bigint not null default 0,
    retries bigint not null default 0,
    rate_limited bigint not null default 0,
    judged bigint not null default 0,
    missed bigint not null default 0,
    error_code text,
    error text,
    constraint windows_pkey primary key (id),
    constraint windows_run_fkey foreign key (run_id)
        references smartassist_sync.runs (id) on delete cascade,
    constraint windows_error_code_is_a_word check (error_code ~ '^[a-z_]{1,64}$'),
    constraint windows_proof_known check (proof in ('total', 'short_page', 'total_and_short_page', 'empty_page', 'parts')),
    constraint windows_purpose_known check (purpose in ('new', 'refresh', 'open', 'backfill', 'repair', 'gap', 'verify')),
    constraint windows_range_bounded check (
        not isempty(range) and not lower_inf(range) and not upper_inf(range) and isfinite(lower(range)) and isfinite(upper(range))
        and lower(range) < upper(range)
    ),
    constraint windows_status_known check (status in ('drained', 'split', 'gap', 'failed', 'compared'))
);
create index windows_by_account_drained_began_at on smartassist_sync.windows (account_id, began_at) where status = 'drained';
create index windows_by_account_drained_id on smartassist_sync.windows (account_id, id) where status = 'drained';
create index windows_by_account_drained_started_at on smartassist_sync.windows (account_id, started_at) where status = 'drained';
create index windows_by_account_finished_at on smartassist_sync.windows (account_id, finished_at desc);
create index windows_by_account_gap on smartassist_sync.windows (account_id) where status = 'gap';
create index windows_by_account_not_drained on smartassist_sync.windows (account_id, finished_at desc) where status <> 'drained';
create index windows_by_run on smartassist_sync.windows (run_id);

comment on table smartassist_sync.windows is
    'The ledger of fetched windows; a stretch of time has one entry for every time it was fetched. Entries are written in the same transaction as the rows that came, that of a drained window also with the coverage.';
comment on column smartassist_sync.windows.id is
    'Number of the entry. The key.';
comment on column smartassist_sync.windows.account_id is
    'The SmartAssist account that the window was fetched for.';
comment on column smartassist_sync.windows.stream is
    'What is read of the account: interactions, today the only one.';
comment on column smartassist_sync.windows.run_id is
    'The run that fetched it. Entries are pruned together with their run.';
comment on column smartassist_sync.windows.range is
    'The stretch of time that was asked for, half-open.';
comment on column smartassist_sync.windows.purpose is
    'Why it was fetched: new (not covered yet), gap (a gap was tried again), or the purpose of the request that it was fetched for: refresh, open, backfill, repair or verify.';
comment on column smartassist_sync.windows.status is
    'drained (every record in it was seen), split (too many records or too much text, rows that shifted, elements without an id, or a window that the API refused as too long or too old: fetched in parts; or drained by a proof that was contradicted later, with error_code belief_contradicted: read again), gap (some records cannot be read even in the smallest part: what was reachable is stored, the rest is missing, see smartassist_sync.gaps), failed (nothing of it is stored; also where it was given up) or compared (read by verify, which stores nothing).';
comment on column smartassist_sync.windows.token is
    'Fencing token of the lease under which the entry was written.';
comment on column smartassist_sync.windows.began_at is
    'Instant, by the database''s clock, before its first request: it serves requests that were made up to then.';
comment on column smartassist_sync.windows.rules is
    'Version of the transform that read it.';
comment on column smartassist_sync.windows.profile is
    'What was known of the API when it was drained, as in smartassist_sync.accounts.api_traits. NULL where it was not.';
comment on column smartassist_sync.windows.proof is
    'What shows that every record in it was seen: total (as many different records as reported), short_page (the last page was shorter than a full one), total_and_short_page, empty_page (no record follows) or parts (its parts hold nothing else). NULL where it was not drained. Where what it rests on is contradicted later, the window is no longer drained and its stretch is read again.';
comment on column smartassist_sync.windows.pages is
    'Pages that were read to their end.';
comment on column smartassist_sync.windows.requests is
    'Requests that were sent to the API, retries included.';
comment on column smartassist_sync.windows.records is
    'Records that were received, repetitions included.';
comment on column smartassist_sync.windows.distinct_records is
    'Different records among those received.';
comment on column smartassist_sync.windows.reported_total is
    'Total that the API reported for the window. NULL where it gave none. API: numResults, where it is a total.';
comment on column smartassist_sync.windows.inserted is
    'Interactions that were stored for the first time.';
comment on column smartassist_sync.windows.updated is
    'Interactions that were stored in a changed version, or came back after they were missing.';
comment on column smartassist_sync.windows.unchanged is
    'Interactions that were received again as already stored, and not written.';
comment on column smartassist_sync.windows.rejected is
    'Records that could not become rows.';
comment on column smartassist_sync.windows.started_at is
    'Instant at which fetching began.';
comment on column smartassist_sync.windows.finished_at is
    'Instant at which the entry was written.';
comment on column smartassist_sync.windows.missing is
    'Interactions that it marked as missing at once, since a record that shares an id took their place.';
comment on column smartassist_sync.windows.left_out is
    'Interactions that were received and are not to be stored: their customer was erased, or they are older than storage.retention_days.';
comment on column smartassist_sync.windows.retries is
    'Requests among those that were sent that repeat one that failed.';
comment on column smartassist_sync.windows.rate_limited is
    'Requests among those that were sent that the API turned away because of its rate limit.';
comment on column smartassist_sync.windows.judged is
    'Stored interactions that the window had to return, by what the API compares ranges with; where that is unknown, those wholly inside. 0 where it was not drained, or a record of unknown ids was rejected.';
comment on column smartassist_sync.windows.missed is
    'Of those judged, the ones that it did not return, superseded ones apart.';
comment on column smartassist_sync.windows.error_code is
    'What was wrong in one word that does not change, as in runs; while such a gap is open, a problem of that code may stand. NULL where nothing went wrong. Of a split window why it was split: too_many_records, records_shift, elements_without_id, window_refused; or belief_contradicted.';
comment on column smartassist_sync.windows.error is
    'Why the window failed, was given up or is a gap, or why it is no longer drained, without personal data. Also why a window was split. NULL where nothing went wrong.';
comment on index smartassist_sync.windows_by_account_drained_began_at is
    'Serves: which windows serve a request that was made at an instant.';
comment on index smartassist_sync.windows_by_account_drained_id is
    'Serves: what was drained since coverage_pruned was written.';
comment on index smartassist_sync.windows_by_account_drained_started_at is
    'Serves: which windows were drained in the last day.';
comment on index smartassist_sync.windows_by_account_gap is
    'Serves: which gaps are open.';
comment on index smartassist_sync.windows_by_account_finished_at is
    'Serves: which windows were fetched last, and when.';
comment on index smartassist_sync.windows_by_account_not_drained is
    'Serves: what went wrong lately.';
comment on index smartassist_sync.windows_by_run is
    'Serves: which windows a run fetched, and the cascade when it is deleted.';

create table smartassist_sync.rejected_records (
    id bigint generated always as identity,
    account_id text collate "C" not null,
    stream text collate "C" not null default 'interactions',
    interaction_key uuid,
    range tstzrange not null,
    reason text not null,
    payload text not null,
    payload_hash bytea not null,
    time_zone_offset integer not null,
    first_seen_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    times_seen bigint not null default 1,
    resolved_at timestamptz,
    record_bytes bigint,
    constraint rejected_records_pkey primary key (id),
    -- The payload itself is too long for an index; its hash makes the same record, seen again, count up instead of piling up.
    constraint rejected_records_payload_key unique (account_id, stream, payload_hash),
    constraint rejected_records_account_id_fits_key check (octet_length(account_id) between 1 and 512),
    constraint rejected_records_payload_hash_sha256 check (octet_length(payload_hash) = 32),
    constraint rejected_records_range_bounded check (
        not isempty(range) and not lower_inf(range) and not upper_inf(range) and isfinite(lower(range)) and isfinite(upper(range))
        and lower(range) < upper(range)
    ),
    constraint rejected_records_times_seen_positive check (times_seen > 0)
);
-- As of the data: no samples of what may be personal.
alter table smartassist_sync.rejected_records alter column payload set statistics 0;
create index rejected_records_unresolved on smartassist_sync.rejected_records (account_id, interaction_key) where resolved_at is null;

comment on table smartassist_sync.rejected_records is
    'Records that could not become rows, kept with their text so that they can be tried again: at most 1,000 new ones and 16 MiB of text for each account and day, see rejections_by_day for the others. Contains personal data.';
comment on column smartassist_sync.rejected_records.id is
    'Number of the entry. The key.';
comment on column smartassist_sync.rejected_records.interaction_key is
    'The key that the record would have as an interaction. NULL where it has no id, or none that can be read.';
comment on column smartassist_sync.rejected_records.account_id is
    'The SmartAssist account that the record came from.';
comment on column smartassist_sync.rejected_records.stream is
    'What is read of the account: interactions, today the only one.';
comment on column smartassist_sync.rejected_records.range is
    'The window in which the record was last received, half-open.';
comment on column smartassist_sync.rejected_records.reason is
    'Why it could not become a row, without personal data.';
comment on column smartassist_sync.rejected_records.payload is
    'The record as text, after the privacy rules; of one that is too large or nested too deeply, its ids alone. Personal data.';
comment on column smartassist_sync.rejected_records.payload_hash is
    'SHA-256 of the payload, and of record_bytes where there is one: the same record, received again, counts up times_seen instead of becoming another row.';
comment on column smartassist_sync.rejected_records.time_zone_offset is
    'Minutes that were sent as timeZoneOffset when the record was asked for, negative east of Greenwich; needed to read its stamps when it is tried again.';
comment on column smartassist_sync.rejected_records.first_seen_at is
    'Instant at which the record was first rejected.';
comment on column smartassist_sync.rejected_records.last_seen_at is
    'Instant at which the record was last rejected.';
comment on column smartassist_sync.rejected_records.times_seen is
    'How many times the record was rejected.';
comment on column smartassist_sync.rejected_records.resolved_at is
    'Instant at which the record became a row after all: it arrived well in a later window, or retry-rejected could read it. One without an id: at which all of range had been drained since last_seen_at without it. NULL while it is unresolved.';
comment on column smartassist_sync.rejected_records.record_bytes is
    'Size in bytes of a record that was too large or nested too deeply, of which payload holds the ids; it is not tried again. NULL where payload is the whole record.';
comment on index smartassist_sync.rejected_records_unresolved is
    'Serves: which rejected records wait, and those of an interaction.';

create table smartassist_sync.rejections_by_day (
    account_id text collate "C" not null,
    stream text collate "C" not null default 'interactions',
    day date not null,
    kept bigint not null default 0,
    kept_bytes bigint not null default 0,
    counted_alone bigint not null default 0,
    constraint rejections_by_day_pkey primary key (account_id, stream, day),
    constraint rejections_by_day_account_id_fits_key check (octet_length(account_id) between 1 and 512)
);

comment on table smartassist_sync.rejections_by_day is
    'How many rejected records of a day were kept, and how many were only counted since the day''s bounds (1,000 records, 16 MiB) were reached. One row per account and day on which anything was rejected for the first time.';
comment on column smartassist_sync.rejections_by_day.account_id is
    'The SmartAssist account. Part of the key.';
comment on column smartassist_sync.rejections_by_day.stream is
    'What is read of the account: interactions, today the only one. Part of the key.';
comment on column smartassist_sync.rejections_by_day.day is
    'The day on which they were rejected, in UTC. Part of the key.';
comment on column smartassist_sync.rejections_by_day.kept is
    'Records that became entries of rejected_records on that day.';
comment on column smartassist_sync.rejections_by_day.kept_bytes is
    'Bytes of their text.';
comment on column smartassist_sync.rejections_by_day.counted_alone is
    'Rejections of which nothing but this count is kept; a record that is read again counts again.';

create table smartassist_sync.absences (
    interaction_key uuid not null,
    account_id text collate "C" not null,
    stream text collate "C" not null default 'interactions',
    first_missed_at timestamptz not null,
    proven_at timestamptz,
    withheld_since timestamptz,
    marked_at timestamptz,
    constraint absences_pkey primary key (interaction_key)
);
create index absences_by_account on smartassist_sync.absences (account_id, first_missed_at);
create index absences_by_account_proven on smartassist_sync.absences (account_id, interaction_key) where proven_at is not null;

comment on table smartassist_sync.absences is
    'Interactions that a drained window should have returned and did not. A window that returns one deletes the entry. When a request ends, what a second window has missed too sets sessions.missing_since, unless too many are missing (withheld_since); its entry stays for a day, so that many cannot go one by one.';
comment on column smartassist_sync.absences.interaction_key is
    'The interaction, as in smartassist.sessions. The key.';
comment on column smartassist_sync.absences.account_id is
    'The SmartAssist account, as in smartassist.sessions.';
comment on column smartassist_sync.absences.stream is
    'What is read of the account: interactions, today the only one.';
comment on column smartassist_sync.absences.first_missed_at is
    'Instant at which the first window that missed it was written: what missing_since becomes.';
comment on column smartassist_sync.absences.proven_at is
    'Instant at which a window was written that had begun after the first miss and missed it too. NULL before.';
comment on column smartassist_sync.absences.withheld_since is
    'Instant since which it is not marked as missing although two windows missed it: too many are missing at once. NULL where that is not so.';
comment on column smartassist_sync.absences.marked_at is
    'Instant at which it was marked as missing, as one of few. NULL before.';
comment on index smartassist_sync.absences_by_account is
    'Serves: what an account misses, and since when.';
comment on index smartassist_sync.absences_by_account_proven is
    'Serves: what is to be decided on when a request ends, and what is withheld.';

create table smartassist_sync.problems (
    account_id text collate "C" not null,
    stream text collate "C" not null default 'interactions',
    code text collate "C" not null,
    detail text not null,
    since timestamptz not null,
    last_seen_at timestamptz not null,
    constraint problems_pkey primary key (account_id, stream, code),
    constraint problems_code_is_a_word check (code ~ '^[a-z_]{1,64}$'),
    constraint problems_detail_is_short check (octet_length(detail) <= 1000)
);

comment on table smartassist_sync.problems is
    'Problems of accounts that stand now: a row goes when its problem is over. Severity and remedy belong to the code: `smartassist-etl status` shows them.';
comment on column smartassist_sync.problems.account_id is
    'The SmartAssist account. Part of the key.';
comment on column smartassist_sync.problems.stream is
    'What is read of the account: interactions, today the only one. Part of the key.';
comment on column smartassist_sync.problems.code is
    'What is wrong, as a word that an alert can use, as in bulk_missing. Part of the key.';
comment on column smartassist_sync.problems.detail is
    'The figures of it: counts, instants, never a value of a record.';
comment on column smartassist_sync.problems.since is
    'Instant, by the database''s clock, at which it was first found.';
comment on column smartassist_sync.problems.last_seen_at is
    'Instant, by the database''s clock, at which it was last found, to about a minute.';

create table smartassist_sync.erasures (
    id bigint generated always as identity,
    kind text collate "C" not null,
    value_hash bytea not null,
    requested_at timestamptz not null default now(),
    sessions_deleted bigint not null default 0,
    rejected_records_deleted bigint not null default 0,
    key_id bytea not null,
    form smallint not null default 1,
    constraint erasures_pkey primary key (id),
    constraint erasures_value_key unique (kind, value_hash),
    constraint erasures_key_id_sha256 check (octet_length(key_id) = 32),
    constraint erasures_kind_known check (kind in ('user_id', 'email', 'phone', 'interaction', 'session', 'conversation', 'rejected_record')),
    constraint erasures_value_hash_sha256 check (octet_length(value_hash) = 32)
);
create index erasures_by_key_id on smartassist_sync.erasures (key_id);

comment on table smartassist_sync.erasures is
    'Customers who asked to be forgotten, and what of them was erased. Only keyed hashes are kept, of identifiers and of ids of the API, so that later fetches can leave the records out.';
comment on column smartassist_sync.erasures.id is
    'Number of the entry. The key.';
comment on column smartassist_sync.erasures.kind is
    'What is remembered: the user_id, email or phone that a customer was identified by; an interaction (both ids), session or conversation that was theirs; the text of a rejected_record that was.';
comment on column smartassist_sync.erasures.value_hash is
    'Keyed SHA-256 hash (HMAC) of the identifier in its normal form, or of the account and the id. The value itself is not kept.';
comment on column smartassist_sync.erasures.requested_at is
    'Instant of the request.';
comment on column smartassist_sync.erasures.sessions_deleted is
    'Interactions that were deleted on request, with all that belongs to them. 0 where the row is not an identifier of a customer.';
comment on column smartassist_sync.erasures.rejected_records_deleted is
    'Rejected records that were deleted on request. 0 where the row is not an identifier of a customer.';
comment on column smartassist_sync.erasures.key_id is
    'Tells privacy.key from other keys: a keyed hash of nothing. Windows are stored only under the key of all entries.';
comment on column smartassist_sync.erasures.form is
    'Version of the normal form that the value was brought into before it was hashed. Records are looked up by every version there is.';
comment on index smartassist_sync.erasures_by_key_id is
    'Serves: whether anything was erased with another key.';

create table smartassist_sync.schema_drift (
    account_id text collate "C" not null,
    stream text collate "C" not null default 'interactions',
    path text collate "C" not null,
    json_type text collate "C" not null,
    first_seen_at timestamptz not null,
    last_seen_at timestamptz not null,
    times_seen bigint not null,
    constraint schema_drift_pkey primary key (account_id, stream, path, json_type),
    constraint schema_drift_json_type_known check (json_type in ('string', 'number', 'boolean', 'array', 'object')),
    constraint schema_drift_path_fits_key check (octet_length(path) between 1 and 512),
    constraint schema_drift_times_seen_positive check (times_seen > 0)
);

comment on table smartassist_sync.schema_drift is
    'Fields that the API sends and that this version does not know, by path and JSON type. Never a value: those are in extra, of sessions or of the row that the field belongs to. A field inside metaInfo is not drift: what is in there is the bot''s author''s own. At most 1,000 entries an account.';
comment on column smartassist_sync.schema_drift.account_id is
    'The SmartAssist account that sent the field. Part of the key.';
comment on column smartassist_sync.schema_drift.stream is
    'What is read of the account: interactions, today the only one. Part of the key.';
comment on column smartassist_sync.schema_drift.path is
    'Where in the record the field stands, as in destinations[].respondingAgent.mood. A name that may itself be a value is written as *. Part of the key.';
comment on column smartassist_sync.schema_drift.json_type is
    'JSON type of its value: string, number, boolean, array or object. Part of the key.';
comment on column smartassist_sync.schema_drift.first_seen_at is
    'Instant at which a window with such a field was first stored.';
comment on column smartassist_sync.schema_drift.last_seen_at is
    'Instant at which a window with such a field was last stored.';
comment on column smartassist_sync.schema_drift.times_seen is
    'How many records had it, those that were read again included.';

create table smartassist_sync.changes_by_age (
    account_id text collate "C" not null,
    stream text collate "C" not null default 'interactions',
    age_from_seconds integer not null,
    reread bigint not null default 0,
    changed bigint not null default 0,
    updated_at timestamptz not null default now(),
    constraint changes_by_age_pkey primary key (account_id, stream, age_from_seconds),
    constraint changes_by_age_changed_within_reread check (changed >= 0 and changed <= reread)
)
with (fillfactor = 50);

comment on table smartassist_sync.changes_by_age is
    'How often interactions that were stored already were read again, and how often they had changed, by their age at that reading.';
comment on column smartassist_sync.changes_by_age.account_id is
    'The SmartAssist account. Part of the key.';
comment on column smartassist_sync.changes_by_age.stream is
    'What is read of the account: interactions, today the only one. Part of the key.';
comment on column smartassist_sync.changes_by_age.age_from_seconds is
    'Lower bound of the age, in seconds from the start of the session to the reading; the upper one is the next bound of smartassist_sync.age_bounds(). Part of the key.';
comment on column smartassist_sync.changes_by_age.reread is
    'Interactions of that age that were read again, each once a run.';
comment on column smartassist_sync.changes_by_age.changed is
    'Those among them whose content had changed since it was stored.';
comment on column smartassist_sync.changes_by_age.updated_at is
    'Instant at which this row was last written.';

create table smartassist_sync.interactions_by_day (
    account_id text collate "C" not null,
    stream text collate "C" not null default 'interactions',
    day date not null,
    interactions bigint not null,
    constraint interactions_by_day_pkey primary key (account_id, stream, day)
)
with (fillfactor = 50);

comment on table smartassist_sync.interactions_by_day is
    'How many interactions of each day are stored, those included that the API no longer returns. Counted by whoever writes or deletes them, in the same transaction, and recounted, a week each hour in turn. Days without any have no row.';
comment on column smartassist_sync.interactions_by_day.account_id is
    'The SmartAssist account. Part of the key.';
comment on column smartassist_sync.interactions_by_day.stream is
    'What is read of the account: interactions, today the only one. Part of the key.';
comment on column smartassist_sync.interactions_by_day.day is
    'Day, in UTC, on which the interactions started. Part of the key.';
comment on column smartassist_sync.interactions_by_day.interactions is
    'Interactions that are stored and started on that day.';

create table smartassist_sync.contact_key_secret (
    secret bytea not null default decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'),
    is_only boolean not null default true,
    constraint contact_key_secret_pkey primary key (is_only),
    constraint contact_key_secret_long check (octet_length(secret) = 32),
    constraint contact_key_secret_only check (is_only)
);

insert into smartassist_sync.contact_key_secret default values;

comment on table smartassist_sync.contact_key_secret is
    'The key of the hashes in smartassist_bi.interactions.contact_key, made at random for this database. Whoever reads it can try out which customer a hash is of. Has one row.';
comment on column smartassist_sync.contact_key_secret.secret is
    '32 random bytes. Another value gives every customer another contact_key.';
comment on column smartassist_sync.contact_key_secret.is_only is
    'Always true, so that there is one row only.';
create function smartassist_sync.age_bounds()
returns integer[]
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select array[0, 900, 3600, 7200, 21600, 43200, 86400, 172800, 259200, 604800, 1209600, 2592000, 7776000]
$$;

comment on function smartassist_sync.age_bounds() is
    'Lower bounds of the classes of age in smartassist_sync.changes_by_age, in seconds, ascending from 0. The last class has no end.';

create function smartassist_sync.clock_tolerance()
returns interval
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select interval '1 hour'
$$;

comment on function smartassist_sync.clock_tolerance() is
    'By how much the clocks of this server, of the API and of whoever loads may differ before the ledger counts as wrong.';

create function smartassist_sync.drained(drained_account_id text)
returns tstzmultirange
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select account.coverage_pruned + coalesce(
        (
            select range_agg(fetched.range)
            from smartassist_sync.windows as fetched
            where fetched.account_id = drained_account_id and fetched.status = 'drained' and fetched.id > account.folded_through
        ),
        '{}'
    )
    from smartassist_sync.accounts as account
    where account.account_id = drained_account_id
$$;

comment on function smartassist_sync.drained(text) is
    'All that windows have drained, those that were pruned included.';

-- A ledger that cannot be true (edited by hand, or written under a clock that was wrong) is refused before anything is read by it. This is the
-- way back.
create function smartassist_sync.mend_coverage(mended_account_id text)
returns timestamptz
language sql
set search_path = pg_catalog, pg_temp
as $$
    with mended as (
        select
            account.account_id,
            account.coverage
            * tstzmultirange(tstzrange(null, date_trunc('second', clock_timestamp() - smartassist_sync.clock_tolerance())))
            * smartassist_sync.drained(account.account_id) as coverage
        from smartassist_sync.accounts as account
        where account.account_id = mended_account_id
    ),
    begun as (
        select
            mended.account_id,
            mended.coverage,
            account.settled * mended.coverage as settled,
            case
                when account.start_from <= clock_timestamp() then account.start_from
                else coalesce(lower(mended.coverage), date_trunc('second', clock_timestamp()) - interval '30 days')
            end as start_from
        from mended
        join smartassist_sync.accounts as account using (account_id)
    )
    update smartassist_sync.accounts as account
    set coverage = begun.coverage,
        wanted_from = least(account.wanted_from, begun.start_from),
        start_from = begun.start_from,
        settled = begun.settled,
        updated_at = clock_timestamp()
    from begun
    where account.account_id = begun.account_id
    returning account.watermark
$$;

comment on function smartassist_sync.mend_coverage(text) is
    'Takes out of an account''s coverage what cannot be true: what lies in the future or less than clock_tolerance() ago, and what no drained window of the ledger holds. A start in the future becomes that of the coverage, or 30 days ago. Returns the watermark. What is not covered then is read again.';

-- Made by the migrator, before the first migration.
comment on table smartassist_sync.schema_migrations is
    'The migrations that were applied to this database. Written by the migrator alone.';
comment on column smartassist_sync.schema_migrations.version is
    'Number of the migration.';
comment on column smartassist_sync.schema_migrations.description is
    'Name of the migration.';
comment on column smartassist_sync.schema_migrations.installed_on is
    'When it was applied.';
comment on column smartassist_sync.schema_migrations.success is
    'Whether it was applied to its end.';
comment on column smartassist_sync.schema_migrations.checksum is
    'Checksum of its text: a migration is never edited once it is applied anywhere.';
comment on column smartassist_sync.schema_migrations.execution_time is
    'Nanoseconds that it took.';
