with old as (
    select interaction_id
    from smartassist.sessions
    where account_id = $1 and session_started_at < $2
    order by session_started_at
    limit $3
),
absent as (
    delete from smartassist_sync.absences as absence
    using old
    where absence.account_id = $1 and absence.interaction_id = old.interaction_id
)
delete from smartassist.sessions as session
using old
where session.account_id = $1 and session.interaction_id = old.interaction_id
