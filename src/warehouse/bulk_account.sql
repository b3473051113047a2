select
    least($2, clock_timestamp()) as now,
    account.missing_confirmed_at as confirmed_at,
    (
        select fetched.started_at
        from smartassist_sync.windows as fetched
        where fetched.account_id = account.account_id
            and fetched.status = 'drained' and fetched.distinct_records > 0
        order by fetched.started_at desc
        limit 1
    ) as last_returned_at
from smartassist_sync.accounts as account
where account.account_id = $1
