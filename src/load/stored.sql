select session.interaction_id,
       session.content_hash,
       session.missing_since is not null as is_missing,
       session.conversation_id is null as is_bot_only,
       session.interaction_id in (
           select absence.interaction_id from smartassist_sync.absences as absence where absence.account_id = $1
       ) as was_missed
from smartassist.sessions as session
where session.account_id = $1 and session.interaction_id = any($2)
