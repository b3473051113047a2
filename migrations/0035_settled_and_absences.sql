-- Up to when late interactions are found, and what is missing in bulk.
--
-- 1. The API publishes an interaction some time after it started (the vendor says about a quarter of an hour after it ends), so what was read up to the
-- watermark may lack some. Settled is what was read once more long enough after it started. Kept beside the coverage, in the statement that covers: the
-- union of a year of windows takes seconds.

alter table smartassist_sync.accounts
    add column settled tstzmultirange not null default '{}',
    add column settled_through timestamptz,
    add constraint accounts_settled_bounded check (
        not lower_inf(settled) and not upper_inf(settled) and isfinite(lower(settled)) and isfinite(upper(settled))
    );

with read_late as (
    select account.account_id, account.start_from, coalesce(drained.ranges, '{}') * account.coverage as settled
    from smartassist_sync.accounts as account
    left join lateral (
        select range_agg(fetched.range * tstzrange(null, date_trunc('second', fetched.started_at) - interval '30 minutes')) as ranges
        from smartassist_sync.windows as fetched
        where
            fetched.account_id = account.account_id and fetched.status = 'drained' and fetched.purpose <> 'verify'
            and fetched.started_at >= coalesce(account.filters_changed_at, '-infinity')
    ) as drained on true
)
update smartassist_sync.accounts as account
set settled = read_late.settled,
    settled_through = smartassist_sync.watermark_of(read_late.settled, read_late.start_from)
from read_late
where account.account_id = read_late.account_id;

create or replace function smartassist_sync.mend_coverage(mended_account_id text)
returns timestamptz
language sql
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
        start_from = begun.start_from,
        watermark = smartassist_sync.watermark_of(begun.coverage, begun.start_from),
        settled = begun.settled,
        settled_through = smartassist_sync.watermark_of(begun.settled, begun.start_from),
        updated_at = clock_timestamp()
    from begun
    where account.account_id = begun.account_id
    returning account.watermark
$$;

comment on column smartassist_sync.accounts.settled is
    'Of the coverage, every instant that was drained by a window that began at least sync.late_minutes after it, as half-open ranges.';
comment on column smartassist_sync.accounts.settled_through is
    'Instant before which all interactions that started were read once more sync.late_minutes after they started: the end of the first unbroken stretch of settled from start_from. Interactions that are published later than that, as long ones may be, are found by later refreshes. NULL until a version that knows it has worked on the account.';

-- 2. How fresh the data is, for those who may not read the books. It runs with its owner's rights, like all views here.

create view smartassist_bi.data_freshness as
select
    account.account_id,
    account.name as account_name,
    account.watermark as complete_through,
    coalesce(account.settled_through, account.start_from) as settled_through,
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
    (
        select count(*)
        from smartassist.sessions as session
        where session.account_id = account.account_id and session.session_ended_at is null and session.missing_since is null
    ) as open_interactions,
    account.start_from as loaded_from
from smartassist_sync.accounts as account;

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

-- 3. What is missing in bulk is withheld: a source that has lost its index answers nothing, and well, and two such answers would mark everything. How
-- much was judged is kept with the window, so that nothing is written for each row that is judged.

alter table smartassist_sync.absences add column withheld_since timestamptz;
alter table smartassist_sync.accounts add column missing_confirmed_at timestamptz;
alter table smartassist_sync.windows
    add column judged bigint not null default 0,
    add column missed bigint not null default 0,
    add column marked bigint not null default 0,
    add column withheld bigint not null default 0;

-- "What is withheld of this account?" (every run; hardly ever anything)
create index absences_by_account_withheld on smartassist_sync.absences (account_id, interaction_id) where withheld_since is not null;

comment on index smartassist_sync.absences_by_account_withheld is
    'Serves: what is missing in bulk and waits to be confirmed.';
comment on table smartassist_sync.absences is
    'Interactions that a drained window should have returned and did not, until it is certain: a later window that returns one deletes the entry; a later one that misses it too sets sessions.missing_since and deletes the entry as well, unless too many are missing (withheld_since).';
comment on column smartassist_sync.absences.withheld_since is
    'Instant since which it is not marked as missing although two windows missed it: too many are missing at once. NULL where that is not so.';
comment on column smartassist_sync.accounts.missing_confirmed_at is
    'Instant at which an operator last confirmed that what is missing in bulk is gone (confirm-missing). What was first missed before is marked without being counted. NULL: never.';
comment on column smartassist_sync.windows.judged is
    'Stored interactions that the window had to return: they lie wholly inside it. 0 where it was not drained, or a record was rejected.';
comment on column smartassist_sync.windows.missed is
    'Of those judged, the ones that it did not return, superseded ones apart.';
comment on column smartassist_sync.windows.marked is
    'Of those missed, the ones that it marked as missing, being few. What an operator or time confirmed does not count.';
comment on column smartassist_sync.windows.withheld is
    'Of those missed, the ones that were missed before too and are not marked, since too many are missing at once.';

-- 4. Starts that move by quarter hours between two readings: where no session id tells which reading is right, only their moving back ends it.

alter table smartassist_sync.accounts add column starts_moved_minutes bigint;

comment on column smartassist_sync.accounts.starts_moved_minutes is
    'Minutes by which the starts of many sessions moved between two readings, the zone of the API''s stamps having changed. NULL where they did not, have moved back, or session ids say that they are right.';
