-- Books of fifty accounts that were loaded for three years, and whose daemon has polled every five minutes for the last month, and refreshed as by
-- default: of the first four for three years. Account 1 has gaps.
insert into smartassist_sync.accounts (account_id, name, start_from, coverage)
select
    'acct-' || to_char(n, 'FM00'), 'account' || to_char(n, 'FM00'), date_trunc('day', now()) - interval '1095 days',
    case
        when n % 10 = 1 then
            tstzmultirange(tstzrange(date_trunc('day', now()) - interval '1095 days', date_trunc('hour', now())))
            - (
                select range_agg(tstzrange(
                    date_trunc('day', now()) - interval '1 day' * gap, date_trunc('day', now()) - interval '1 day' * gap + interval '1 second'
                ))
                from generate_series(5, 500, 25) as gap
            )
        else tstzmultirange(tstzrange(date_trunc('day', now()) - interval '1095 days', date_trunc('hour', now())))
    end
from generate_series(1, 50) as n;

insert into smartassist_sync.interactions_by_day (account_id, day, interactions)
select account_id, (now() at time zone 'UTC')::date - n, 500 + (n * 37) % 900
from smartassist_sync.accounts cross join generate_series(0, 1095) as n;

insert into smartassist_sync.runs (account_id, kind, status, requests, records, watermark_before, watermark_after, started_at, finished_at)
select account_id, 'poll', 'succeeded', 2, 40, now(), now(), now() - interval '5 minutes' * n, now() - interval '5 minutes' * n + interval '2 seconds'
from smartassist_sync.accounts cross join generate_series(0, 8640) as n;

insert into smartassist_sync.runs (account_id, kind, status, requests, records, watermark_before, watermark_after, started_at, finished_at, range)
select
    account.account_id, 'refresh', 'succeeded', 2, 40, now(), now(), started, started + interval '2 seconds',
    tstzrange(started - tier.lookback, started)
from smartassist_sync.accounts as account
cross join (
    values (interval '2 hours', interval '15 minutes'), ('1 day', '1 hour'), ('3 days', '6 hours'), ('30 days', '1 day')
) as tier (lookback, every)
cross join lateral generate_series(now() - interval '1095 days', now() - interval '1 minute', tier.every) as started
where account.account_id < 'acct-05' or started > now() - interval '30 days';

insert into smartassist_sync.windows (account_id, run_id, range, purpose, status, token, requests, records, started_at, finished_at, error)
select
    run.account_id, run.id, tstzrange(run.started_at - interval '5 minutes', run.started_at), 'new', 'drained', 1, 2, 40, run.started_at, run.finished_at, null
from smartassist_sync.runs as run
where run.kind = 'poll'
union all
select
    account.account_id, (select max(id) from smartassist_sync.runs), tstzrange(date_trunc('day', now()) - interval '1 day' * gap, date_trunc('day', now()) - interval '1 day' * gap + interval '1 second'),
    'new', 'gap', 1, 11, 1100, now() - interval '1 day', now() - interval '1 day', 'more than can be reached'
from smartassist_sync.accounts as account cross join generate_series(5, 500, 25) as gap
where account.account_id like '%1';

insert into smartassist_sync.changes_by_age (account_id, age_from_seconds, reread, changed)
select account_id, age, 10000, 100 from smartassist_sync.accounts cross join unnest(smartassist_sync.age_bounds()) as age;

insert into smartassist_sync.schema_drift (account_id, path, json_type, first_seen_at, last_seen_at, times_seen)
select account_id, 'field' || n, 'string', now(), now(), 7 from smartassist_sync.accounts cross join generate_series(1, 3) as n
