-- A note of before the row was first stored is about an earlier row, which has been deleted since.
select session.interaction_id, absence.first_missed_at, absence.withheld_since
from smartassist.sessions as session
left join smartassist_sync.absences as absence
    on absence.account_id = session.account_id
    and absence.interaction_id = session.interaction_id
    and absence.first_missed_at >= session.first_seen_at
where session.account_id = $1
    and session.interaction_id = any($2)
order by session.interaction_id
