-- A note of before the row was first stored is about an earlier row, which has been deleted since. `not in`, since it is always hashed: as a join the
-- planner may compare every session with every id.
select session.interaction_id, absence.first_missed_at
from smartassist.sessions as session
join smartassist_sync.accounts as account on account.account_id = session.account_id
left join smartassist_sync.absences as absence
    on absence.account_id = session.account_id
    and absence.interaction_id = session.interaction_id
    and absence.first_missed_at >= session.first_seen_at
where session.account_id = $1
    and session.session_started_at >= $2 and session.session_started_at < $3
    and session.session_ended_at >= $2 and session.session_ended_at < $3
    and session.missing_since is null
    and session.first_seen_at >= coalesce(account.filters_changed_at, '-infinity')
    and session.interaction_id not in (select unnest($4::text[]))
order by session.interaction_id
