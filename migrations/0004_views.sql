-- The gaps of the ledger, and what readers may know of it: how fresh the data is, and how it changes.

create view smartassist_sync.gaps as
select
    tried.account_id,
    tried.range,
    tried.times_tried,
    tried.first_tried_at,
    tried.last_tried_at,
    -- Seven doublings are past a day already; more would only overflow.
    tried.last_tried_at
        + least(interval '15 minutes' * 2 ^ least(tried.times_tried - 1, 7), interval '1 day') as next_try_at,
    tried.error,
    tried.error_code,
    -- What of it lies in what is wanted, empty or not, may have been read by itself.
    not tried.range * tstzrange(account.start_from, null) <@ account.coverage as wanted
from (
    select
        fetched.account_id,
        fetched.range,
        count(*) as times_tried,
        min(fetched.finished_at) as first_tried_at,
        max(fetched.finished_at) as last_tried_at,
        (array_agg(fetched.error order by fetched.finished_at desc, fetched.id desc))[1] as error,
        (array_agg(fetched.error_code order by fetched.finished_at desc, fetched.id desc))[1] as error_code
    from smartassist_sync.windows as fetched
    join smartassist_sync.accounts as account on account.account_id = fetched.account_id
    where
        fetched.status = 'gap'
        -- Other filters may fit where these did not.
        and fetched.started_at >= coalesce(account.filters_changed_at, '-infinity')
        and not fetched.range <@ account.coverage
    group by fetched.account_id, fetched.range
) as tried
join smartassist_sync.accounts as account on account.account_id = tried.account_id;

comment on view smartassist_sync.gaps is
    'Open gaps: stretches of which the API shows not all records, even in the smallest part, and which are not covered since. What was reachable is stored. Gaps read with earlier filters are not listed.';
comment on column smartassist_sync.gaps.account_id is
    'The SmartAssist account.';
comment on column smartassist_sync.gaps.range is
    'The stretch of time, half-open.';
comment on column smartassist_sync.gaps.times_tried is
    'How often it was fetched without success.';
comment on column smartassist_sync.gaps.first_tried_at is
    'Instant at which it was first found to be a gap.';
comment on column smartassist_sync.gaps.last_tried_at is
    'Instant at which it was last fetched without success.';
comment on column smartassist_sync.gaps.next_try_at is
    'Instant from which it is tried again: 15 minutes after the first try, twice as long after each further one, a day at most. By polls where it is wanted, else by a backfill alone.';
comment on column smartassist_sync.gaps.error is
    'What was wrong at the last try, without personal data.';
comment on column smartassist_sync.gaps.error_code is
    'Its code.';
comment on column smartassist_sync.gaps.wanted is
    'Whether it lies in what is loaded by itself, from accounts.start_from on. Only such a gap holds the watermark and troubles the account; another was found by a backfill of the past, or has become too old.';

-- It runs with its owner's rights, like all views here: for those who may not read the ledger.
create view smartassist_bi.data_freshness as
select
    account.account_id,
    account.name as account_name,
    account.watermark as complete_through,
    account.settled_through,
    (
        select polled.finished_at
        from smartassist_sync.runs as polled
        where polled.account_id = account.account_id and polled.status = 'succeeded' and polled.kind in ('poll', 'sync')
        order by polled.finished_at desc
        limit 1
    ) as last_polled_at,
    (
        select count(*)
        from smartassist_sync.gaps as gap
        where gap.account_id = account.account_id and gap.wanted
    ) as open_gaps,
    (
        select count(*)
        from smartassist_sync.rejected_records as rejected
        where rejected.account_id = account.account_id and rejected.resolved_at is null
    ) as rejected_records,
    coalesce(open.interactions, 0) as open_interactions,
    account.start_from as loaded_from
from smartassist_sync.accounts as account
-- A join, since a distributed table cannot be asked once for each row of one that is not.
left join (
    select session.account_id, count(*) as interactions
    from smartassist.sessions as session
    where session.session_ended_at is null and session.missing_since is null and not session.is_shadow
    group by session.account_id
) as open on open.account_id = account.account_id;

comment on view smartassist_bi.data_freshness is
    'Up to when the data of each account can be relied on. One row per account.';
comment on column smartassist_bi.data_freshness.account_id is
    'The SmartAssist account.';
comment on column smartassist_bi.data_freshness.account_name is
    'The name of the account in the configuration.';
comment on column smartassist_bi.data_freshness.complete_through is
    'Instant before which all interactions that started, and that the API showed when they were read, are loaded.';
comment on column smartassist_bi.data_freshness.settled_through is
    'Instant before which all interactions that started were read once more some time after they started (30 minutes, unless sync.late_minutes says otherwise): those that are published late are loaded up to there. Figures up to this instant hardly change any more.';
comment on column smartassist_bi.data_freshness.last_polled_at is
    'Instant at which the last look for new interactions that succeeded ended. NULL where none did yet.';
comment on column smartassist_bi.data_freshness.open_gaps is
    'Stretches of time of which the API does not show all records. 0 is right.';
comment on column smartassist_bi.data_freshness.rejected_records is
    'Records that could not become rows and wait. 0 is right.';
comment on column smartassist_bi.data_freshness.open_interactions is
    'Interactions that have no end yet.';
comment on column smartassist_bi.data_freshness.loaded_from is
    'Instant from which interactions are loaded.';

-- With its own list of the bounds: whoever reads a view needs the right to execute the functions in it. A test holds it against age_bounds().
create view smartassist_bi.change_by_age as
with bounds as (
    select
        bound as from_seconds,
        lead(bound) over (order by bound) as to_seconds
    from unnest(array[0, 900, 3600, 7200, 21600, 43200, 86400, 172800, 259200, 604800, 1209600, 2592000, 7776000]) as bound
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

comment on view smartassist_bi.change_by_age is
    'How likely an interaction has changed when it is read again, by its age: what refresh policies are chosen by. One row per account and class of age in which anything was read again.';
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
