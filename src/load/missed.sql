-- A note of before the row was first stored is about an earlier row, which has been deleted since. Rows that were first stored under other filters
-- may be left out by today's.
select session.interaction_id, absence.first_missed_at
from smartassist.sessions as session
join smartassist_sync.accounts as account on account.account_id = session.account_id
left join smartassist_sync.absences as absence
    on absence.account_id = session.account_id
    and absence.interaction_id = session.interaction_id
    and absence.first_missed_at >= session.first_seen_at
where session.account_id = $1
    and session.interaction_id = any($2)
    and session.first_seen_at >= coalesce(account.filters_changed_at, '-infinity')
order by session.interaction_id
