select lower(stretch), upper(stretch)
from smartassist_sync.accounts as account
cross join lateral (
    select least($2, date_trunc('second', clock_timestamp() - make_interval(secs => $3))) as head
) as settled
cross join lateral unnest(
    tstzmultirange(tstzrange(account.start_from, greatest(account.start_from, settled.head))) - account.coverage
) as stretch
where account.account_id = $1
order by 1
