-- Folds what windows have drained into one multirange, so that they can be deleted and need not be added up each time.
with new as (
    select max(fetched.id) as through, range_agg(fetched.range) as drained
    from smartassist_sync.accounts as account
    join smartassist_sync.windows as fetched
        on fetched.account_id = account.account_id and fetched.status = 'drained' and fetched.id > account.folded_through
    where account.account_id = $1
)
update smartassist_sync.accounts as account
set folded_through = new.through, coverage_pruned = account.coverage_pruned + new.drained
from new
where account.account_id = $1 and new.through is not null
