-- $2: purpose, $3: policy, $4 and $5: bounds, $6: seconds since it came due (NULL: whatever was read at any
-- time serves), $7: who asks, $8: rules, $9: by identity, $10: the tick. Returns the open request, new or
-- not; no row if the tick was answered. A refresh leaves what is not covered to the head.
with asked as (
    select
        account.account_id,
        account.coverage,
        account.filters,
        coalesce(wanted.range, '{}') as range,
        coalesce(clock_timestamp() - make_interval(secs => $6), '-infinity') as since
    from smartassist_sync.accounts as account
    cross join (
        select range_agg(tstzrange(part.start, part.until)) as range
        from unnest($4::timestamptz[], $5::timestamptz[]) as part (start, until)
    ) as wanted
    where account.account_id = $1
),
known as (
    select request.id, request.state, coalesce(request.due_at <> $10, false) as is_new_tick
    from asked
    join smartassist_sync.requests as request on request.account_id = asked.account_id
    where case
        when $3 is null then
            request.state = 'open' and request.cancel_requested_at is null
            and request.purpose = $2 and request.range = asked.range
            and isfinite(request.since) = isfinite(asked.since) and request.by_identity = $9
        else request.policy = $3 and (
                request.state = 'open' or request.state = 'done' and request.due_at = $10
            )
    end
    order by request.id desc
    limit 1
),
ticked as (
    update smartassist_sync.requests as request
    set ticks = request.ticks + known.is_new_tick::integer,
        due_at = coalesce($10, request.due_at),
        -- After a roll back, the older version goes on with what the newer one has asked for.
        rules = case when $3 is null then request.rules else least(request.rules, $8) end
    from known
    where request.id = known.id and known.state = 'open'
    returning request.id, true as is_open, known.is_new_tick
),
fresh as (
    select coalesce(range_agg(fetched.range), '{}') as ranges
    from asked
    join smartassist_sync.windows as fetched
        on fetched.account_id = asked.account_id and fetched.status = 'drained' and fetched.began_at >= asked.since
    -- The same condition again, in a form that tells the planner how few rows match.
    where fetched.began_at >= now() - make_interval(secs => $6)
),
inserted as (
    insert into smartassist_sync.requests (
        account_id, purpose, policy, range, remaining, since, due_at, rules, filters_digest, requested_by, by_identity, state, done_at
    )
    select
        account_id, $2, $3, range, remaining, since, $10, $8, sha256(convert_to(filters::text, 'UTF8')), $7, $9,
        case when isempty(remaining) then 'done' else 'open' end, case when isempty(remaining) then clock_timestamp() end
    from (
        select
            asked.*,
            case
                when $2 = 'verify' then asked.range
                when $2 in ('refresh', 'open') then asked.range * asked.coverage - fresh.ranges
                when isfinite(asked.since) then asked.range - asked.coverage * fresh.ranges
                else asked.range - asked.coverage
            end as remaining
        from asked
        cross join fresh
    ) as wanted
    where not isempty(range) and not exists (select from known)
    on conflict do nothing
    returning id, state = 'open' as is_open, false as is_new_tick
)
select id, is_open, is_new_tick from ticked
union all
select id, is_open, is_new_tick from inserted
