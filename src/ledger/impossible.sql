-- What is impossible in an account's sync state, in words; NULL if nothing.
select
    case
        when start_from > clock_timestamp() + smartassist_sync.clock_tolerance()
            then format('interactions are wanted from %s on, which is in the future', start_from at time zone 'UTC')
        when upper(coverage) > clock_timestamp() + smartassist_sync.clock_tolerance()
            then format('coverage reaches to %s, which is in the future', upper(coverage) at time zone 'UTC')
        when not coverage <@ smartassist_sync.drained(account_id)
            then 'coverage holds stretches that no window of the ledger has drained'
    end
from smartassist_sync.accounts
where account_id = $1
