-- One table and one range, so that the index of starts is used whatever the statistics say: while an account is first loaded there are none, and a
-- join would read the whole table for every window. What began before is found by its start, a day before at most, as in must_return.sql.
select interaction_key, session_id, conversation_id, first_seen_at,
       (session_ended_at is not null and session_ended_at >= $2 and session_ended_at < $3)
       or ($6 and (session_ended_at >= $3 or session_ended_at is null)) as is_owed
from smartassist.sessions
where account_id = $1
    and session_started_at >= $2 - case when $5 then interval '1 day' else interval '0' end and session_started_at < $3
    and (session_started_at >= $2 or session_ended_at > $2)
    and missing_since is null
    and first_seen_at >= coalesce($4, '-infinity')
