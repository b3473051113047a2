-- Takes the lease if it is free, expired or our own. Two steps: the table has two unique keys and ON CONFLICT
-- DO UPDATE knows one, so of several that insert the first row at once, all but one would fail. Here they
-- find nothing.
with before as (
    select spent, extract(epoch from clock_timestamp() - spent_at)::float8 as ago
    from smartassist_sync.leases
    where account_id = $1 and holder <> $2
),
made as (
    insert into smartassist_sync.leases (account_id, holder, token, expires_at)
    values ($1, $2, 1, clock_timestamp() + make_interval(secs => $3))
    on conflict do nothing
    returning token
),
renewed as (
    update smartassist_sync.leases as lease
    set holder = $2,
        token = lease.token + 1,
        expires_at = clock_timestamp() + make_interval(secs => $3),
        awaited_at = null
    where lease.account_id = $1 and (lease.expires_at <= clock_timestamp() or lease.holder = $2)
    returning lease.token
)
select
    taken.token,
    (select before.spent from before) as spent,
    (select before.ago from before) as spent_seconds_ago
from (select made.token from made union all select renewed.token from renewed) as taken
