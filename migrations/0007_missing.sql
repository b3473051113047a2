-- What the API no longer returns. A drained window is authoritative for the sessions that lie wholly inside it, but one read that leaves a session
-- out may be the API's hiccup: the first is only noted here, beside the data, so that the row is not rewritten for a hiccup; the second counts.

create table smartassist_sync.absences (
    account_id text not null,
    interaction_id text not null,
    first_missed_at timestamptz not null,
    times_missed bigint not null default 1,
    constraint absences_pkey primary key (account_id, interaction_id),
    constraint absences_times_missed_positive check (times_missed > 0)
);

-- Filters leave sessions out of an answer although the API still has them. So only what was first stored under the present ones can go missing.
alter table smartassist_sync.accounts add column filters_changed_at timestamptz;

alter table smartassist_sync.runs add column missing bigint not null default 0;
alter table smartassist_sync.windows add column missing bigint not null default 0;

comment on table smartassist_sync.absences is
    'Interactions that a drained window should have returned and did not, until it is certain: a later window that returns one deletes the entry; a later one that misses it too sets sessions.missing_since, and deletes the entry as well.';
comment on column smartassist_sync.absences.account_id is
    'The SmartAssist account, as in smartassist.sessions. Part of the key.';
comment on column smartassist_sync.absences.interaction_id is
    'The interaction, as in smartassist.sessions. Part of the key.';
comment on column smartassist_sync.absences.first_missed_at is
    'Instant at which the first window that missed it was written: what missing_since becomes.';
comment on column smartassist_sync.absences.times_missed is
    'How many drained windows have missed it. Above 1 only where windows were fetched at the same time, which proves no more than one of them.';
comment on column smartassist_sync.accounts.filters_changed_at is
    'Instant at which the filters last became others. Interactions and gaps of before are not judged by what is read since. NULL: they never changed.';
comment on column smartassist_sync.runs.missing is
    'Interactions that were found to be no longer returned by the API.';
comment on column smartassist_sync.windows.missing is
    'Interactions that were found to be no longer returned by the API.';
