-- Folds what windows up to the newest old one ($2) drained into one multirange, so that they can be deleted
-- and need not be added up each time.
with old as (
    select fetched.id as through
    from smartassist_sync.windows as fetched
    where fetched.account_id = $1 and fetched.finished_at < $2
    order by fetched.finished_at desc
    limit 1
)
update smartassist_sync.accounts as account
set
    folded_through = old.through,
    coverage_pruned = account.coverage_pruned + coalesce(
        (
            select range_agg(fetched.range)
            from smartassist_sync.windows as fetched
            where fetched.account_id = account.account_id and fetched.status = 'drained'
                and fetched.id > account.folded_through and fetched.id <= old.through
        ),
        '{}'
    )
from old
where account.account_id = $1 and old.through > account.folded_through
