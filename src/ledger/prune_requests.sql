delete from smartassist_sync.requests
where id in (
    select old.id
    from smartassist_sync.requests as old
    where old.account_id = $1 and old.done_at < now() - make_interval(secs => $3)
        -- The newest request of a policy tells which tick was answered.
        and (
            old.policy is null
            or exists (
                select from smartassist_sync.requests as newer
                where newer.account_id = old.account_id and newer.policy = old.policy and newer.id > old.id
            )
        )
    order by old.id
    limit $2
)
