-- The daemon's own books: what is covered, what was fetched, what went wrong, and who may work.
--
-- Nothing in smartassist refers to these tables, so that they can be kept, pruned or rebuilt apart from the data. Among themselves only a window
-- refers to its run: a lease or a rejected record must be writable before and after its account is configured.

create table smartassist_sync.accounts (
    account_id text not null,
    name text not null,
    filters jsonb not null default '{}',
    start_from timestamptz not null,
    coverage tstzmultirange not null default '{}',
    watermark timestamptz not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint accounts_pkey primary key (account_id),
    constraint accounts_account_id_fits_key check (octet_length(account_id) between 1 and 512),
    -- An endless coverage would mean that nothing is ever left to fetch. (An empty one has no bounds, and NULL passes a check.)
    constraint accounts_coverage_bounded check (
        not lower_inf(coverage) and not upper_inf(coverage) and isfinite(lower(coverage)) and isfinite(upper(coverage))
    ),
    constraint accounts_start_from_finite check (isfinite(start_from)),
    constraint accounts_watermark_from_start check (isfinite(watermark) and watermark >= start_from)
);

-- One definition of the watermark, used by every statement that changes what it is derived from.
create function smartassist_sync.watermark_of(coverage tstzmultirange, start_from timestamptz)
returns timestamptz
language sql
immutable
parallel safe
as $$
    select coalesce(
        (select upper(stretch) from unnest(coverage) as stretch where stretch @> start_from),
        start_from
    )
$$;

comment on function smartassist_sync.watermark_of(tstzmultirange, timestamptz) is
'The end of the first unbroken stretch of coverage from start_from, or start_from where nothing is covered from there: all interactions that started before it are loaded.';

create table smartassist_sync.runs (
    id bigint generated always as identity,
    account_id text not null,
    kind text not null,
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
    error text,
    constraint runs_pkey primary key (id),
    constraint runs_kind_known check (kind in ('poll', 'refresh', 'backfill', 'sync', 'verify', 'replay')),
    constraint runs_status_known check (status in ('running', 'succeeded', 'failed', 'skipped', 'interrupted')),
    constraint runs_finished_unless_running check ((status = 'running') = (finished_at is null))
);

-- "How did the last runs of this account go?" (the status command, the status page)
create index runs_by_account_started_at on smartassist_sync.runs (account_id, started_at desc);
-- "Which runs did a worker that died leave open?" (at every start; a handful of rows among all that ever ran)
create index runs_by_account_running on smartassist_sync.runs (account_id) where status = 'running';

create table smartassist_sync.windows (
    id bigint generated always as identity,
    account_id text not null,
    run_id bigint not null,
    range tstzrange not null,
    purpose text not null,
    status text not null,
    token bigint not null,
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
    error text,
    constraint windows_pkey primary key (id),
    constraint windows_run_fkey foreign key (run_id) references smartassist_sync.runs (id) on delete cascade,
    constraint windows_range_bounded check (
        not isempty(range) and not lower_inf(range) and not upper_inf(range)
        and isfinite(lower(range)) and isfinite(upper(range)) and lower(range) < upper(range)
    ),
    constraint windows_purpose_known check (purpose in ('new', 'refresh', 'backfill', 'gap', 'verify')),
    constraint windows_status_known check (status in ('drained', 'split', 'gap', 'failed'))
);

-- "Which windows were fetched last, and when?" (status, planning by density)
create index windows_by_account_finished_at on smartassist_sync.windows (account_id, finished_at desc);
-- "What went wrong lately, and where are the gaps?" (a few rows among many drained ones)
create index windows_by_account_not_drained on smartassist_sync.windows (account_id, finished_at desc) where status <> 'drained';
-- "Which windows did this run fetch?" (and the cascade when old runs are pruned)
create index windows_by_run on smartassist_sync.windows (run_id);

create table smartassist_sync.rejected_records (
    id bigint generated always as identity,
    account_id text not null,
    range tstzrange not null,
    reason text not null,
    payload text not null,
    payload_hash bytea not null,
    time_zone_offset integer not null,
    first_seen_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    times_seen bigint not null default 1,
    resolved_at timestamptz,
    constraint rejected_records_pkey primary key (id),
    -- The payload itself is too long for an index; its hash makes the same record, seen again, count up instead of piling up.
    constraint rejected_records_payload_key unique (account_id, payload_hash),
    constraint rejected_records_payload_hash_sha256 check (octet_length(payload_hash) = 32),
    constraint rejected_records_account_id_fits_key check (octet_length(account_id) between 1 and 512),
    constraint rejected_records_range_bounded check (
        not isempty(range) and not lower_inf(range) and not upper_inf(range)
        and isfinite(lower(range)) and isfinite(upper(range)) and lower(range) < upper(range)
    ),
    constraint rejected_records_times_seen_positive check (times_seen > 0)
);

create table smartassist_sync.leases (
    account_id text not null,
    holder text not null,
    token bigint not null,
    acquired_at timestamptz not null default now(),
    expires_at timestamptz not null,
    constraint leases_pkey primary key (account_id),
    constraint leases_account_id_fits_key check (octet_length(account_id) between 1 and 512),
    constraint leases_token_positive check (token > 0)
);

create table smartassist_sync.erasures (
    id bigint generated always as identity,
    kind text not null,
    value_hash bytea not null,
    requested_at timestamptz not null default now(),
    sessions_deleted bigint not null default 0,
    rejected_records_deleted bigint not null default 0,
    constraint erasures_pkey primary key (id),
    -- Every fetched record is looked up by this key.
    constraint erasures_value_key unique (kind, value_hash),
    constraint erasures_kind_known check (kind in ('user_id', 'email', 'phone')),
    constraint erasures_value_hash_sha256 check (octet_length(value_hash) = 32)
);

comment on table smartassist_sync.accounts is
    'One row per configured account: what is loaded, and from where on.';
comment on column smartassist_sync.accounts.account_id is
    'The SmartAssist account, as configured. The key.';
comment on column smartassist_sync.accounts.name is
    'The name of the account in the configuration; used in logs and metrics.';
comment on column smartassist_sync.accounts.filters is
    'What the coverage was read with: stream, selected fields, filters and extra body. Coverage begins anew when it changes. An empty object means that nothing was read yet.';
comment on column smartassist_sync.accounts.start_from is
    'Instant from which interactions are loaded. Remembered from the first start on.';
comment on column smartassist_sync.accounts.coverage is
    'Every instant whose window was drained, as half-open ranges. What is left to fetch is what is wanted less this.';
comment on column smartassist_sync.accounts.watermark is
    'Instant before which all interactions that started are loaded: the end of the first unbroken stretch of the coverage from start_from, or start_from itself where that stretch is empty.';
comment on column smartassist_sync.accounts.created_at is
    'Instant at which the account was first seen in the configuration.';
comment on column smartassist_sync.accounts.updated_at is
    'Instant at which this row was last written.';

comment on table smartassist_sync.runs is
    'One row per run over one account. Counters are sums over its windows.';
comment on column smartassist_sync.runs.id is
    'Number of the run. The key.';
comment on column smartassist_sync.runs.account_id is
    'The SmartAssist account that the run worked on.';
comment on column smartassist_sync.runs.kind is
    'What the run was for: poll, refresh, backfill, sync, verify or replay.';
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
    'Interactions that were stored in a changed version.';
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
comment on column smartassist_sync.runs.error is
    'Why the run failed or was interrupted, without personal data. NULL where nothing went wrong.';

comment on table smartassist_sync.windows is
    'The ledger of fetched windows. A drained window is written in the same transaction as its rows and the coverage.';
comment on column smartassist_sync.windows.id is
    'Number of the entry. The key.';
comment on column smartassist_sync.windows.account_id is
    'The SmartAssist account that the window was fetched for.';
comment on column smartassist_sync.windows.run_id is
    'The run that fetched it. Entries are pruned together with their run.';
comment on column smartassist_sync.windows.range is
    'The stretch of time that was asked for, half-open.';
comment on column smartassist_sync.windows.purpose is
    'Why it was fetched: new (not covered yet, at the head of time), refresh (records change later), backfill (asked for by an operator), gap (a hole was tried again) or verify.';
comment on column smartassist_sync.windows.status is
    'drained (every record in it was seen), split (too many records, fetched in parts), gap (too many records even in the smallest part: data is missing) or failed.';
comment on column smartassist_sync.windows.token is
    'Fencing token of the lease under which the entry was written.';
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
    'Interactions that were stored in a changed version.';
comment on column smartassist_sync.windows.unchanged is
    'Interactions that were received again as already stored, and not written.';
comment on column smartassist_sync.windows.rejected is
    'Records that could not become rows.';
comment on column smartassist_sync.windows.started_at is
    'Instant at which fetching began.';
comment on column smartassist_sync.windows.finished_at is
    'Instant at which the entry was written.';
comment on column smartassist_sync.windows.error is
    'Why the window failed or is a gap, without personal data. NULL where nothing went wrong.';

comment on table smartassist_sync.rejected_records is
    'Records that could not become rows, kept with their text so that they can be tried again. Contains personal data.';
comment on column smartassist_sync.rejected_records.id is
    'Number of the entry. The key.';
comment on column smartassist_sync.rejected_records.account_id is
    'The SmartAssist account that the record came from.';
comment on column smartassist_sync.rejected_records.range is
    'The window in which the record was last received, half-open.';
comment on column smartassist_sync.rejected_records.reason is
    'Why it could not become a row, without personal data.';
comment on column smartassist_sync.rejected_records.payload is
    'The record as text, after the privacy rules as far as they could be applied. Personal data.';
comment on column smartassist_sync.rejected_records.payload_hash is
    'SHA-256 of the payload: the same record, received again, counts up times_seen instead of becoming another row.';
comment on column smartassist_sync.rejected_records.time_zone_offset is
    'Minutes that were sent as timeZoneOffset when the record was asked for, negative east of Greenwich; needed to read its stamps when it is tried again.';
comment on column smartassist_sync.rejected_records.first_seen_at is
    'Instant at which the record was first rejected.';
comment on column smartassist_sync.rejected_records.last_seen_at is
    'Instant at which the record was last rejected.';
comment on column smartassist_sync.rejected_records.times_seen is
    'How many times the record was rejected.';
comment on column smartassist_sync.rejected_records.resolved_at is
    'Instant at which the record became a row after all. NULL while it is unresolved.';

comment on table smartassist_sync.leases is
    'Who may work on an account now. One worker per account; every commit checks the token.';
comment on column smartassist_sync.leases.account_id is
    'The SmartAssist account. The key.';
comment on column smartassist_sync.leases.holder is
    'The worker that holds the lease.';
comment on column smartassist_sync.leases.token is
    'Fencing token: grows with every new holder, never goes back.';
comment on column smartassist_sync.leases.acquired_at is
    'Instant at which the present holder got the lease.';
comment on column smartassist_sync.leases.expires_at is
    'Instant after which another worker may take the lease.';

comment on table smartassist_sync.erasures is
    'Customers who asked to be forgotten. Only a keyed hash of what identifies them is kept, so that later fetches can leave their records out.';
comment on column smartassist_sync.erasures.id is
    'Number of the entry. The key.';
comment on column smartassist_sync.erasures.kind is
    'What the customer was identified by: user_id, email or phone.';
comment on column smartassist_sync.erasures.value_hash is
    'Keyed SHA-256 hash (HMAC) of the identifier. The identifier itself is not kept.';
comment on column smartassist_sync.erasures.requested_at is
    'Instant of the request.';
comment on column smartassist_sync.erasures.sessions_deleted is
    'Interactions that were deleted on request, with all that belongs to them.';
comment on column smartassist_sync.erasures.rejected_records_deleted is
    'Rejected records that were deleted on request.';

-- Made by the migrator before the first migration; here it only gets its words.
comment on table smartassist_sync.schema_migrations is 'The migrations that were applied to this database. Written by the migrator alone.';
comment on column smartassist_sync.schema_migrations.version is 'Number of the migration.';
comment on column smartassist_sync.schema_migrations.description is 'Name of the migration.';
comment on column smartassist_sync.schema_migrations.installed_on is 'When it was applied.';
comment on column smartassist_sync.schema_migrations.success is 'Whether it was applied to its end.';
comment on column smartassist_sync.schema_migrations.checksum is 'Checksum of its text: a migration is never edited once it is applied anywhere.';
comment on column smartassist_sync.schema_migrations.execution_time is 'Nanoseconds that it took.';
