select lower(stretch) as start, upper(stretch) as "end"
from smartassist_sync.accounts as account
cross join lateral (
    select date_trunc('second', least($2, clock_timestamp() - make_interval(secs => $3))) as head
) as settled
cross join lateral (
    select coalesce(range_agg(gap.range), '{}') as ranges
    from smartassist_sync.gaps as gap
    where gap.account_id = account.account_id and gap.next_try_at > clock_timestamp()
) as resting
cross join lateral unnest(
    tstzmultirange(tstzrange(account.start_from, greatest(account.start_from, settled.head)))
    - account.coverage - resting.ranges
) as stretch
where account.account_id = $1
order by 1
