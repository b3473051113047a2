-- Finds sessions by their start, so that an index bounds them: at most a day before the window. Longer ones
-- count only if they are open, through the index of open sessions.
select count(*) filter (where session_started_at >= $2),
       count(*) filter (where session_ended_at >= $2 and session_ended_at < $3),
       count(*) filter (where session_ended_at >= $2 or session_ended_at is null)
from smartassist.sessions
where account_id = $1
    and missing_since is null
    and session_started_at < $3
    and (session_started_at >= $2 - interval '1 day' or session_ended_at is null)
