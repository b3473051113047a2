select lower(stretch), upper(stretch)
from smartassist_sync.accounts as account
cross join lateral (
    select date_trunc('second', least($2, clock_timestamp() - make_interval(secs => $3))) as head
) as settled
cross join lateral unnest(
    tstzmultirange(tstzrange($4, greatest($4, least($5, settled.head)))) - account.coverage
) as stretch
where account.account_id = $1
order by 1
