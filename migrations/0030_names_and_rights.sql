-- Names mean what PostgreSQL means by them, and functions are for whom they are made.
--
-- Whoever may create things in a schema of the search path (in `public`, everybody on PostgreSQL 14) can put a function `upper(tstzrange)` there,
-- which PostgreSQL prefers to its own polymorphic one; it then runs with the rights of whoever calls it. Our transactions look into pg_catalog
-- alone (src/database/settings.rs). What was made before they did is made again here: functions keep the setting with them, and views and checks
-- are bound to PostgreSQL's own functions.

alter function smartassist_sync.watermark_of(tstzmultirange, timestamptz) set search_path = pg_catalog, pg_temp;
alter function smartassist_sync.age_bounds() set search_path = pg_catalog, pg_temp;
alter function smartassist_sync.clock_tolerance() set search_path = pg_catalog, pg_temp;
alter function smartassist_sync.drained(text) set search_path = pg_catalog, pg_temp;
alter function smartassist_sync.mend_coverage(text) set search_path = pg_catalog, pg_temp;
alter function smartassist_sync.count_interactions_by_day() set search_path = pg_catalog, pg_temp;

alter table smartassist_sync.accounts
    drop constraint accounts_coverage_bounded,
    -- An endless coverage would mean that nothing is ever left to fetch. (An empty one has no bounds, and NULL passes a check.)
    add constraint accounts_coverage_bounded check (
        not lower_inf(coverage) and not upper_inf(coverage) and isfinite(lower(coverage)) and isfinite(upper(coverage))
    );

alter table smartassist_sync.windows
    drop constraint windows_range_bounded,
    add constraint windows_range_bounded check (
        not isempty(range) and not lower_inf(range) and not upper_inf(range)
        and isfinite(lower(range)) and isfinite(upper(range)) and lower(range) < upper(range)
    );

alter table smartassist_sync.rejected_records
    drop constraint rejected_records_range_bounded,
    add constraint rejected_records_range_bounded check (
        not isempty(range) and not lower_inf(range) and not upper_inf(range)
        and isfinite(lower(range)) and isfinite(upper(range)) and lower(range) < upper(range)
    );

alter table smartassist_sync.runs
    drop constraint runs_range_bounded,
    add constraint runs_range_bounded check (
        not isempty(range) and not lower_inf(range) and not upper_inf(range)
        and isfinite(lower(range)) and isfinite(upper(range)) and lower(range) < upper(range)
    );

create or replace view smartassist_sync.gaps as
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
    -- What of it lies in what is wanted, empty or not, may have been read by itself.
    not tried.range * tstzrange(account.start_from, null) <@ account.coverage as wanted
from (
    select
        fetched.account_id,
        fetched.range,
        count(*) as times_tried,
        min(fetched.finished_at) as first_tried_at,
        max(fetched.finished_at) as last_tried_at,
        (array_agg(fetched.error order by fetched.finished_at desc, fetched.id desc))[1] as error
    from smartassist_sync.windows as fetched
    join smartassist_sync.accounts as account on account.account_id = fetched.account_id
    where
        fetched.status = 'gap'
        -- Nothing of what was only compared is stored, and it may lie where nothing is wanted.
        and fetched.purpose <> 'verify'
        -- Other filters may fit where these did not.
        and fetched.started_at >= coalesce(account.filters_changed_at, '-infinity')
        and not fetched.range <@ account.coverage
    group by fetched.account_id, fetched.range
) as tried
join smartassist_sync.accounts as account on account.account_id = tried.account_id;

-- With its own list of the bounds: whoever reads a view needs the right to execute the functions in it. A test holds it against age_bounds().
create or replace view smartassist_bi.change_by_age as
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

-- PostgreSQL lets everybody execute a new function. One that runs with its owner's rights would then write into the books for anybody who hangs it
-- on a table of theirs. A trigger needs no right when it fires. Who may write the books already, as a loader that is not their owner, keeps what
-- it calls. There are no default privileges for it: PostgreSQL knows this one for all schemas of a role only, ours or not.
revoke execute on all functions in schema smartassist, smartassist_sync, smartassist_bi from public;

do $$
declare
    loader regrole;
begin
    for loader in
        select distinct right_given.grantee::regrole
        from pg_class as books, aclexplode(books.relacl) as right_given
        where
            books.oid = 'smartassist_sync.accounts'::regclass
            and right_given.privilege_type = 'UPDATE'
            and right_given.grantee <> books.relowner
            and right_given.grantee <> 0
    loop
        execute format('grant execute on all functions in schema smartassist_sync to %s', loader);
        execute format('revoke execute on function smartassist_sync.count_interactions_by_day() from %s', loader);
    end loop;
end
$$;
