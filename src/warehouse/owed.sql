-- One table and one range, so that the index of starts is used without statistics, which a first load does
-- not have. Bounded by start as in counts_by_basis.sql.
select interaction_key, session_id, conversation_id, first_seen_at,
       (session_ended_at is not null and session_ended_at >= $2 and session_ended_at < $3)
       or ($6 and (session_ended_at >= $3 or session_ended_at is null)) as is_owed
from smartassist.sessions
where account_id = $1
    and session_started_at >= $2 - case when $5 then interval '1 day' else interval '0' end and session_started_at < $3
    and (session_started_at >= $2 or session_ended_at > $2)
    and missing_since is null
    and first_seen_at >= coalesce($4, '-infinity')
