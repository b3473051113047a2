-- The remainder of each open request, up to what has settled ($2, by both clocks) and from what is kept ($4).
-- Gaps found since the request was made (or at any time, if any read serves) rest. $5: our rules, $6: the
-- purposes that we know.
select
    request.id,
    request.purpose,
    request.policy,
    nullif(request.since, '-infinity') as since,
    request.cancel_requested_at is not null as is_cancelled,
    coalesce(request.filters_digest <> sha256(convert_to(account.filters::text, 'UTF8')), false) as has_other_filters,
    request.by_identity,
    lower(request.range) as start,
    upper(request.range) as "end",
    coalesce(
        (
            select jsonb_agg(jsonb_build_object('start', lower(stretch), 'end', upper(stretch)) order by stretch)
            from unnest(todo.ranges) as stretch
        ),
        '[]'
    ) as remaining
from smartassist_sync.requests as request
join smartassist_sync.accounts as account on account.account_id = request.account_id
cross join lateral (
    select coalesce(range_agg(gap.range), '{}') as ranges
    from smartassist_sync.gaps as gap
    where gap.account_id = request.account_id and gap.next_try_at > clock_timestamp() and gap.last_tried_at >= request.since
) as resting
cross join lateral (
    select
        case
            when request.purpose in ('refresh', 'open') then request.remaining * account.coverage
            when request.purpose = 'verify' then request.remaining
            else request.remaining - resting.ranges
        end
        * tstzmultirange(tstzrange($4, date_trunc('second', least($2, clock_timestamp() - make_interval(secs => $3))))) as ranges
) as todo
where request.account_id = $1 and request.state = 'open' and request.rules <= $5 and request.purpose = any($6)
order by request.id
