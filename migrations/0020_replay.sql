-- How far a replay has come, so that one that was stopped goes on where it was. A finished one leaves no entry.

create table smartassist_sync.replays (
    account_id text not null,
    position text not null,
    rules text not null,
    started_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint replays_pkey primary key (account_id)
);

comment on table smartassist_sync.replays is
    'Replays that have not come to their end: one row per account. The next one goes on from here if the rules are the same, else from the beginning.';
comment on column smartassist_sync.replays.account_id is
    'The SmartAssist account. The key.';
comment on column smartassist_sync.replays.position is
    'The last interaction, in the order of their ids, that has been rebuilt.';
comment on column smartassist_sync.replays.rules is
    'What rows are rebuilt with: version of the transform and privacy rules. Of privacy.key only a hash that tells it from others.';
comment on column smartassist_sync.replays.started_at is
    'Instant at which it began.';
comment on column smartassist_sync.replays.updated_at is
    'Instant at which position was last moved.';
