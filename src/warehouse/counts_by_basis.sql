-- Sessions are found by their start: one that ends in the window, or goes on in it, may have started a while before, a day at most as an index can
-- bound it; longer ones are counted through the index of those that are open, or not at all.
select count(*) filter (where session_started_at >= $2),
       count(*) filter (where session_ended_at >= $2 and session_ended_at < $3),
       count(*) filter (where session_ended_at >= $2 or session_ended_at is null)
from smartassist.sessions
where account_id = $1
    and missing_since is null
    and session_started_at < $3
    and (session_started_at >= $2 - interval '1 day' or session_ended_at is null)
