-- One table and one range, so that the index of starts is used whatever the statistics say: while an account is first loaded there are none, and a
-- join would read the whole table for every window. Rows that were first stored under other filters may be left out by today's.
select interaction_id
from smartassist.sessions
where account_id = $1
    and session_started_at >= $2 and session_started_at < $3
    and session_ended_at >= $2 and session_ended_at < $3
    and missing_since is null
    and first_seen_at >= coalesce(
        (select account.filters_changed_at from smartassist_sync.accounts as account where account.account_id = $1), '-infinity'
    )
