-- Bounded by start as in counts_by_basis.sql.
select interaction_key
from smartassist.sessions
where account_id = $1
    and session_started_at < $3
    and (session_started_at >= $2
        or ($4 and session_started_at >= $2 - interval '1 day' and session_ended_at > $2))
    and ((session_ended_at >= $2 and session_ended_at < $3)
        or ($5 and (session_ended_at >= $3 or session_ended_at is null)))
    and missing_since is null
    and first_seen_at >= coalesce($6, '-infinity')
