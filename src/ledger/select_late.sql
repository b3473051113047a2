-- Started more than $2 seconds ago, by the slower of both clocks ($3), and not read since. What a refresh
-- tried without success in the last hours rests, or one unreadable second would be asked for at each tick.
select lower(stretch) as start, upper(stretch) as "end"
from smartassist_sync.accounts as account
cross join lateral (
    select coalesce(range_agg(fetched.range), '{}') as ranges
    from smartassist_sync.windows as fetched
    where fetched.account_id = account.account_id
        and fetched.status in ('gap', 'failed') and fetched.purpose in ('refresh', 'open')
        and fetched.finished_at > clock_timestamp() - interval '6 hours'
        and upper(fetched.range) <= fetched.began_at - make_interval(secs => $2)
) as tried
cross join lateral unnest(
    tstzmultirange(tstzrange(
        account.start_from,
        greatest(account.start_from, date_trunc('second', least($3, clock_timestamp()) - make_interval(secs => $2)))
    )) * account.coverage - account.settled - tried.ranges
) as stretch
where account.account_id = $1
order by 1
