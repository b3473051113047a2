-- One table and one range, so that the index of starts is used whatever the statistics say: while an account is first loaded there are none, and a
-- join would read the whole table for every window.
select interaction_key, session_id, conversation_id, first_seen_at,
       session_ended_at is not null and session_ended_at >= $2 and session_ended_at < $3 as is_wholly_inside
from smartassist.sessions
where account_id = $1
    and session_started_at >= $2 and session_started_at < $3
    and missing_since is null
    and first_seen_at >= coalesce($4, '-infinity')
