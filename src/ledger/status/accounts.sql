select
    account.name,
    account.account_id,
    account.start_from,
    account.served_from,
    account.watermark,
    account.settled_through,
    (
        select string_agg(
            case jsonb_typeof(filter.value)
                when 'array' then filter.key || ' ' || (select string_agg(one, ', ') from jsonb_array_elements_text(filter.value) as one)
                when 'string' then filter.key || ' ' || (filter.value #>> '{}')
                when 'object' then filter.key || ' ' || (select string_agg(one, ', ' order by one) from jsonb_object_keys(filter.value) as one)
                else filter.key
            end,
            '; ' order by filter.key
        )
        from jsonb_each(account.filters) as filter
        where filter.key not in ('stream_id', 'selected_fields') and filter.value <> '"Both"'
    ) as filters,
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
    (select report.rebuild_from from smartassist.reporting as report where report.account_id = account.account_id)
        as rebuild_from,
    spent.requests_last_minute,
    spent.requests_last_hour,
    spent.rate_limited_last_hour,
    clocks.api_clock_ahead_seconds,
    clocks.time_zone_disagreement_minutes,
    lease.holder as lease_holder,
    coalesce(newest.runs, '[]') as runs,
    polled.ended as newest_poll,
    replayed.newest as newest_replay,
    coalesce(asked.told, '[]') as requests,
    coalesce(
        (
            select jsonb_agg(
                jsonb_build_object('code', problem.code, 'detail', problem.detail, 'since', problem.since) order by problem.code
            )
            from smartassist_sync.problems as problem
            where problem.account_id = account.account_id
        ),
        '[]'
    ) as standing_problems
from smartassist_sync.accounts as account
left join smartassist_sync.leases as lease
    on lease.account_id = account.account_id and lease.expires_at > clock_timestamp()
-- All accounts at once: a thousand days of each are read faster in storage order.
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
-- Of a dozen runs: one that failed before an answer says nothing.
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
            runs.*,
            extract(epoch from clock_timestamp() - coalesce(progress_at, started_at))::bigint as quiet_seconds
        from smartassist_sync.runs
        join (
            -- A first load takes days, and many refreshes begin and end meanwhile.
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
-- By number, as a worker's clock may have been set back. Interrupted runs say nothing.
left join lateral (
    select to_jsonb(run) as ended
    from smartassist_sync.runs as run
    where run.account_id = account.account_id and run.kind in ('poll', 'sync') and run.status in ('succeeded', 'failed')
    order by run.id desc
    limit 1
) as polled on true
left join lateral (
    select to_jsonb(run) as newest
    from (
        select
            runs.*,
            extract(epoch from clock_timestamp() - coalesce(progress_at, started_at))::bigint as quiet_seconds
        from smartassist_sync.runs
        where runs.account_id = account.account_id and runs.kind = 'replay'
        order by runs.id desc
        limit 1
    ) as run
) as replayed on true
-- Open ones, and the newest of each policy if it ended short; a policy that is no longer configured is
-- forgotten after a day.
cross join lateral (
    select jsonb_agg(to_jsonb(told) order by told.id) as told
    from (
        select
            request.id, request.purpose, request.policy, request.state, lower(request.range) as start, upper(request.range) as "end",
            100 - ceil(100 * todo.seconds / asked.seconds)::bigint as percent,
            request.requested_by, request.requested_at,
            coalesce(request.error_code, failed.error_code) as error_code,
            coalesce(request.error, failed.error) as error,
            coalesce(request.remedy, failed.remedy) as remedy
        from smartassist_sync.requests as request
        cross join lateral (
            select coalesce(sum(extract(epoch from upper(stretch) - lower(stretch))), 0) as seconds from unnest(request.remaining) as stretch
        ) as todo
        cross join lateral (
            select sum(extract(epoch from upper(stretch) - lower(stretch))) as seconds from unnest(request.range) as stretch
        ) as asked
        left join lateral (
            select newest.error_code, newest.error, newest.remedy
            from (
                select run.*
                from smartassist_sync.runs as run
                where run.request_id = request.id and run.status in ('succeeded', 'failed')
                order by run.id desc
                limit 1
            ) as newest
            where newest.status = 'failed'
        ) as failed on request.state = 'open'
        where request.account_id = account.account_id and (
            request.state = 'open'
            or request.policy is not null and request.state in ('partial', 'refused')
                and request.done_at > now() - interval '1 day'
                and not exists (
                    select
                    from smartassist_sync.requests as newer
                    where newer.account_id = request.account_id and newer.policy = request.policy and newer.id > request.id
                        and newer.state in ('done', 'partial', 'refused')
                )
        )
    ) as told
) as asked
order by account.name
