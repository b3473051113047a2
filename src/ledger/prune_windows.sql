-- Open gaps exist only in the ledger, so they stay.
delete from smartassist_sync.windows
where id in (
    select fetched.id
    from smartassist_sync.windows as fetched
    join smartassist_sync.accounts as account on account.account_id = fetched.account_id
    where fetched.account_id = $1 and fetched.finished_at < now() - make_interval(secs => $3)
        and not (fetched.status = 'drained' and fetched.id > account.folded_through)
        and not (fetched.status = 'gap' and not fetched.range <@ account.coverage)
    order by fetched.finished_at
    limit $2
)
