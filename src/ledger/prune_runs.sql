delete from smartassist_sync.runs
where id in (
    select old.id
    from smartassist_sync.runs as old
    where old.account_id = $1 and old.started_at < now() - make_interval(secs => $3) and old.status <> 'running'
        -- The newest run tells how a poll or policy stands.
        and old.id <> all (array(
            select max(newest.id)
            from smartassist_sync.runs as newest
            where newest.account_id = $1
            group by newest.kind, newest.policy, newest.status
        ))
        and not exists (select from smartassist_sync.windows as fetched where fetched.run_id = old.id)
    order by old.id
    limit $2
)
