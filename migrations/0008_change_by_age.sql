-- How long interactions keep changing, measured. Which stretches of the past are worth reading again, and how often, is a question of fact: this
-- is where operators see the answer for their own account.

-- One list of bounds for the statement that counts and the view that shows.
create function smartassist_sync.age_bounds()
returns integer[]
language sql
immutable
parallel safe
as $$
    select array[0, 900, 3600, 7200, 21600, 43200, 86400, 172800, 259200, 604800, 1209600, 2592000, 7776000]
$$;

create table smartassist_sync.changes_by_age (
    account_id text not null,
    age_from_seconds integer not null,
    reread bigint not null default 0,
    changed bigint not null default 0,
    updated_at timestamptz not null default now(),
    constraint changes_by_age_pkey primary key (account_id, age_from_seconds),
    constraint changes_by_age_changed_within_reread check (changed between 0 and reread)
)
-- A dozen rows an account, updated with nearly every window: with room on the page an update leaves the index alone.
with (fillfactor = 50);

create view smartassist_bi.change_by_age as
with bounds as (
    select
        bound as from_seconds,
        lead(bound) over (order by bound) as to_seconds
    from unnest(smartassist_sync.age_bounds()) as bound
),
named as (
    select
        from_seconds,
        case
            when from_seconds >= 86400 then from_seconds / 86400 || ' d'
            when from_seconds >= 3600 then from_seconds / 3600 || ' h'
            else from_seconds / 60 || ' min'
        end as age_from,
        case
            when to_seconds >= 86400 then to_seconds / 86400 || ' d'
            when to_seconds >= 3600 then to_seconds / 3600 || ' h'
            else to_seconds / 60 || ' min'
        end as age_to,
        round(from_seconds / 3600.0, 2) as age_from_hours,
        round(to_seconds / 3600.0, 2) as age_to_hours
    from bounds
)
select
    account.name as account_name,
    account.account_id,
    named.age_from,
    named.age_to,
    named.age_from_hours,
    named.age_to_hours,
    counted.reread,
    counted.changed,
    round(100.0 * counted.changed / nullif(counted.reread, 0), 2) as changed_percent
from smartassist_sync.changes_by_age as counted
join smartassist_sync.accounts as account on account.account_id = counted.account_id
join named on named.from_seconds = counted.age_from_seconds;

comment on function smartassist_sync.age_bounds() is
    'Lower bounds of the classes of age in smartassist_sync.changes_by_age, in seconds, ascending from 0. The last class has no end.';
comment on table smartassist_sync.changes_by_age is
    'How often interactions that were stored already were read again, and how often they had changed, by their age at that reading.';
comment on column smartassist_sync.changes_by_age.account_id is
    'The SmartAssist account. Part of the key.';
comment on column smartassist_sync.changes_by_age.age_from_seconds is
    'Lower bound of the age, in seconds from the start of the session to the reading; the upper one is the next bound of smartassist_sync.age_bounds(). Part of the key.';
comment on column smartassist_sync.changes_by_age.reread is
    'Interactions of that age that were read again, each once a run.';
comment on column smartassist_sync.changes_by_age.changed is
    'Those among them whose content had changed since it was stored.';
comment on column smartassist_sync.changes_by_age.updated_at is
    'Instant at which this row was last written.';
comment on view smartassist_bi.change_by_age is
    'How likely an interaction has changed when it is read again, by its age: what refresh tiers are chosen by. One row per account and class of age in which anything was read again.';
comment on column smartassist_bi.change_by_age.account_name is
    'The name of the account in the configuration.';
comment on column smartassist_bi.change_by_age.account_id is
    'The SmartAssist account.';
comment on column smartassist_bi.change_by_age.age_from is
    'Lower bound of the age at reading, from the start of the session, for people (15 min, 6 h, 30 d).';
comment on column smartassist_bi.change_by_age.age_to is
    'Upper bound of the age, not included, for people. NULL for the oldest class.';
comment on column smartassist_bi.change_by_age.age_from_hours is
    'Lower bound of the age in hours.';
comment on column smartassist_bi.change_by_age.age_to_hours is
    'Upper bound of the age in hours, not included. NULL for the oldest class.';
comment on column smartassist_bi.change_by_age.reread is
    'Interactions of that age that were read again, each once a run.';
comment on column smartassist_bi.change_by_age.changed is
    'Those among them whose content had changed since it was stored.';
comment on column smartassist_bi.change_by_age.changed_percent is
    'Share of the changed ones among those read again, in percent.';
