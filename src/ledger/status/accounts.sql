select
    account.name,
    account.account_id,
    account.start_from,
    account.served_from,
    account.watermark,
    coalesce(account.settled_through, account.start_from) as settled_through,
    extract(epoch from clock_timestamp() - account.watermark)::bigint as lag_seconds,
    (
        select polled.finished_at
        from smartassist_sync.runs as polled
        where polled.account_id = account.account_id and polled.status = 'succeeded' and polled.kind in ('poll', 'sync')
        order by polled.finished_at desc
        limit 1
    ) as last_polled_at,
    (
        select count(*)
        from unnest(
            tstzmultirange(tstzrange(
                account.start_from, greatest(account.start_from, upper(account.coverage))
            )) - account.coverage - gap.stretches
        )
    ) as holes,
    gap.gaps,
    gap.next_gap_try_at,
    coalesce(counted.interactions, 0) as interactions,
    (
        select count(*)
        from smartassist_sync.rejected_records as rejected
        where rejected.account_id = account.account_id and rejected.resolved_at is null
    ) as rejected_waiting,
    (select count(*) from smartassist_sync.schema_drift as drift where drift.account_id = account.account_id)
        as drifted_fields,
    spent.requests_last_minute,
    spent.requests_last_hour,
    spent.rate_limited_last_hour,
    clocks.api_clock_ahead_seconds,
    clocks.time_zone_disagreement_minutes,
    lease.holder as lease_holder,
    newest.runs -> 0 ->> 'kind' as last_run_kind,
    newest.runs -> 0 ->> 'status' as last_run_status,
    (newest.runs -> 0 ->> 'started_at')::timestamptz as last_run_started_at,
    newest.runs -> 0 ->> 'error' as last_run_error,
    newest.runs -> 0 ->> 'remedy' as last_run_remedy,
    coalesce(newest.runs, '[]') as runs,
    polled.verdict as newest_poll,
    coalesce(refreshed.failed, '[]') as failed_refreshes,
    coalesce(
        (
            select jsonb_agg(
                jsonb_build_object('code', problem.code, 'detail', problem.detail, 'since', problem.since) order by problem.code
            )
            from smartassist_sync.problems as problem
            where problem.account_id = account.account_id
        ),
        '[]'
    ) as problems
from smartassist_sync.accounts as account
left join smartassist_sync.leases as lease
    on lease.account_id = account.account_id and lease.expires_at > clock_timestamp()
-- All accounts in one go: a thousand days of each are read faster in the order in which they lie.
left join (
    select by_day.account_id, sum(by_day.interactions)::bigint as interactions
    from smartassist_sync.interactions_by_day as by_day
    group by by_day.account_id
) as counted
    on counted.account_id = account.account_id
cross join lateral (
    select
        count(*) filter (where open.wanted) as gaps,
        min(open.next_try_at) filter (where open.wanted) as next_gap_try_at,
        coalesce(range_agg(open.range), '{}') as stretches
    from smartassist_sync.gaps as open
    where open.account_id = account.account_id
) as gap
cross join lateral (
    select
        coalesce(sum(fetched.requests) filter (where fetched.finished_at > now() - interval '1 minute'), 0)::bigint
            as requests_last_minute,
        coalesce(sum(fetched.requests), 0)::bigint as requests_last_hour,
        coalesce(sum(fetched.rate_limited), 0)::bigint as rate_limited_last_hour
    from smartassist_sync.windows as fetched
    where fetched.account_id = account.account_id and fetched.finished_at > now() - interval '1 hour'
) as spent
-- Of a dozen runs: one that failed before it had an answer tells nothing.
cross join lateral (
    select
        (array_agg(told.api_clock_ahead_seconds order by told.started_at desc)
            filter (where told.api_clock_ahead_seconds is not null))[1] as api_clock_ahead_seconds,
        (array_agg(told.time_zone_disagreement_minutes order by told.started_at desc)
            filter (where told.time_zone_disagreement_minutes is not null))[1] as time_zone_disagreement_minutes
    from (
        select run.started_at, run.api_clock_ahead_seconds, run.time_zone_disagreement_minutes
        from smartassist_sync.runs as run
        where run.account_id = account.account_id
        order by run.started_at desc, run.id desc
        limit 12
    ) as told
) as clocks
cross join lateral (
    select jsonb_agg(to_jsonb(run) order by run.started_at desc, run.id desc) as runs
    from (
        select
            listed.id, kind, status, started_at, finished_at, progress_at, windows, requests, requests_left, records,
            inserted, updated, unchanged, rejected, retries, rate_limited, error, remedy,
            extract(epoch from clock_timestamp() - coalesce(progress_at, started_at))::bigint as quiet_seconds
        from smartassist_sync.runs
        join (
            -- A first load takes days, and many a refresh begins and ends meanwhile.
            select run.id
            from smartassist_sync.runs as run
            where run.account_id = account.account_id and run.status = 'running'
            union all
            (
                select run.id
                from smartassist_sync.runs as run
                where run.account_id = account.account_id and run.status <> 'running'
                order by run.started_at desc, run.id desc
                limit 8
            )
        ) as listed on listed.id = runs.id
    ) as run
) as newest
-- However many others have ended since; one that was interrupted tells nothing. Newest is by number: the clock of a worker may have been set back,
-- so the newest by time and the newest up to now are looked at.
left join lateral (
    select to_jsonb(ended) as verdict
    from (
        (
            select run.id, run.kind, run.status, run.finished_at, run.error, run.remedy
            from smartassist_sync.runs as run
            where run.account_id = account.account_id and run.kind in ('poll', 'sync') and run.status in ('succeeded', 'failed')
            order by run.started_at desc
            limit 1
        )
        union all
        (
            select run.id, run.kind, run.status, run.finished_at, run.error, run.remedy
            from smartassist_sync.runs as run
            where
                run.account_id = account.account_id and run.kind in ('poll', 'sync') and run.status in ('succeeded', 'failed')
                and run.started_at < now() + interval '1 minute'
            order by run.started_at desc
            limit 1
        )
    ) as ended
    order by ended.id desc
    limit 1
) as polled on true
-- The newest of each tier that failed, unless it went well since. One that fails is tried again within minutes; one that is not configured any more
-- is forgotten after a day.
cross join lateral (
    select jsonb_agg(to_jsonb(failed) order by failed.lookback_seconds) as failed
    from (
        select distinct on (tier.lookback)
            run.id, run.kind, run.range, run.status, run.finished_at, run.error, run.remedy,
            extract(epoch from tier.lookback)::bigint as lookback_seconds
        from smartassist_sync.runs as run
        cross join lateral (select upper(run.range) - lower(run.range) as lookback) as tier
        where
            run.account_id = account.account_id and run.kind = 'refresh' and run.status = 'failed'
            and run.started_at > now() - interval '1 day'
        order by tier.lookback, run.id desc
    ) as failed
    where not exists (
        select
        from smartassist_sync.runs as later
        where
            later.account_id = account.account_id and later.kind = 'refresh' and later.status = 'succeeded' and later.id > failed.id
            and later.range is not null and later.started_at > now() - interval '1 day'
            and upper(later.range) - lower(later.range) = upper(failed.range) - lower(failed.range)
    )
) as refreshed
order by account.name
