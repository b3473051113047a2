-- $2: now, by the account's clock; $3: seconds until time confirms; $4: the run that ends; $5: its request.
-- "Missing" includes what was marked in the last day as one of few, or many could go one by one.
select
    clock.now,
    account.missing_confirmed_at as confirmed_at,
    returned.last_at as last_returned_at,
    -- Time confirms what was withheld before, if records came at both ends of the wait: a long outage
    -- confirms nothing.
    case
        when returned.last_at > clock.now - clock.wait / 4 and exists (
            select from smartassist_sync.windows as fetched
            where fetched.account_id = account.account_id
                and fetched.status = 'drained' and fetched.distinct_records > 0
                and fetched.started_at between noted.newest_ripe and clock.now - clock.wait * 0.75
        ) then clock.now - clock.wait
    end as ripe_before,
    noted.new,
    noted.missing,
    request.missed as request_missed,
    request.judged as request_judged
from smartassist_sync.accounts as account
cross join lateral (
    select least($2, clock_timestamp()) as now, make_interval(secs => $3) as wait
) as clock
left join lateral (
    select fetched.started_at as last_at
    from smartassist_sync.windows as fetched
    where fetched.account_id = account.account_id
        and fetched.status = 'drained' and fetched.distinct_records > 0
    order by fetched.started_at desc
    limit 1
) as returned on true
cross join lateral (
    select
        count(*) filter (where absence.first_missed_at > $2 - interval '1 day' or absence.proven_at is not null) as missing,
        count(*) filter (
            where absence.proven_at is not null and absence.marked_at is null and absence.withheld_since is null
                and (absence.first_missed_at <= account.missing_confirmed_at) is not true
        ) as new,
        max(absence.withheld_since) filter (where absence.withheld_since <= clock.now - clock.wait) as newest_ripe
    from smartassist_sync.absences as absence
    where absence.account_id = account.account_id
) as noted
cross join lateral (
    select coalesce(sum(fetched.missed), 0)::bigint as missed, coalesce(sum(fetched.judged), 0)::bigint as judged
    from smartassist_sync.runs as run
    join smartassist_sync.windows as fetched on fetched.run_id = run.id and fetched.status = 'drained'
    where run.id = $4 or run.request_id = $5
) as request
where account.account_id = $1
