select distinct date_trunc('second', session_started_at)
from smartassist.sessions
where account_id = $1 and session_ended_at is null and missing_since is null
    and session_started_at >= $2 and session_started_at < $3
order by 1
