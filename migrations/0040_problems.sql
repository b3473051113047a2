-- What is wrong with an account and stays wrong until somebody acts or the API changes: one row a problem that stands now. In the database, so that
-- every replica, `status`, the page, `doctor` and the metrics say the same, whichever process found it.

create table smartassist_sync.problems (
    account_id text not null,
    code text not null,
    detail text not null,
    since timestamptz not null,
    last_seen_at timestamptz not null,
    constraint problems_pkey primary key (account_id, code),
    constraint problems_code_is_a_word check (code ~ '^[a-z_]{1,64}$'),
    constraint problems_detail_is_short check (octet_length(detail) <= 1000)
);

comment on table smartassist_sync.problems is
    'Problems of accounts that stand now: a row goes when its problem is over. Severity and remedy belong to the code: `smartassist-etl status` shows them.';
comment on column smartassist_sync.problems.account_id is
    'The SmartAssist account. Part of the key.';
comment on column smartassist_sync.problems.code is
    'What is wrong, as a word that an alert can use, as in bulk_missing. Part of the key.';
comment on column smartassist_sync.problems.detail is
    'The figures of it: counts, instants, never a value of a record.';
comment on column smartassist_sync.problems.since is
    'Instant, by the database''s clock, at which it was first found.';
comment on column smartassist_sync.problems.last_seen_at is
    'Instant, by the database''s clock, at which it was last found, to about a minute.';
