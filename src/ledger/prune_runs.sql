delete from smartassist_sync.runs
where id in (
    select old.id
    from smartassist_sync.runs as old
    where old.account_id = $1 and old.started_at < $3 and old.status <> 'running'
        and not exists (select from smartassist_sync.windows as fetched where fetched.run_id = old.id)
        -- How a poll or a policy stands is told by its newest run.
        and exists (
            select from smartassist_sync.runs as newer
            where newer.account_id = old.account_id and newer.kind = old.kind and newer.policy is not distinct from old.policy
                and newer.status = old.status and newer.id > old.id
        )
    order by old.id
    limit $2
)
