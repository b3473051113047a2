-- What is covered now and was drained since $6, up to now ($8), was covered by one of these windows, or was read again by it. So a window of before the last change of
-- filters cannot hide anything: coverage has begun anew since.
select lower(stretch), upper(stretch)
from smartassist_sync.accounts as account
cross join lateral (
    select date_trunc('second', least($2, clock_timestamp() - make_interval(secs => $3))) as head
) as settled
cross join lateral (
    select coalesce(range_agg(tstzrange(started.second, started.second + interval '1 second')), '{}') as seconds
    from unnest($7::timestamptz[]) as started (second)
) as still_open
-- What started more than $9 seconds ago and was not read since. What a refresh has tried without success in the last hours rests, or one second
-- that cannot be read would be asked for whenever a tier is due. (NULL: nothing of it.)
cross join lateral (
    select coalesce(
        tstzmultirange(tstzrange(
            account.start_from,
            greatest(account.start_from, date_trunc('second', least($8, clock_timestamp()) - make_interval(secs => $9::bigint)))
        )) - account.settled - tried.ranges,
        '{}'
    ) as stretches
    from (
        select coalesce(range_agg(fetched.range), '{}') as ranges
        from smartassist_sync.windows as fetched
        where fetched.account_id = account.account_id
            and fetched.status in ('gap', 'failed') and fetched.purpose = 'refresh'
            and fetched.finished_at > clock_timestamp() - interval '6 hours'
            and upper(fetched.range) <= fetched.started_at - make_interval(secs => $9::bigint)
    ) as tried
) as unsettled
cross join lateral (
    select coalesce(range_agg(fetched.range), '{}') as ranges
    from smartassist_sync.windows as fetched
    where fetched.account_id = account.account_id
        and fetched.status = 'drained' and fetched.started_at between $6 and $8
        -- What was only compared was not stored.
        and fetched.purpose <> 'verify'
) as fresh
cross join lateral unnest(
    (tstzmultirange(tstzrange($4, $5)) + still_open.seconds + unsettled.stretches)
    * tstzmultirange(tstzrange(null, settled.head))
    * account.coverage
    - fresh.ranges
) as stretch
where account.account_id = $1
order by 1
