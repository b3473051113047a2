-- One lookup by key for each id, whatever the statistics say: while an account is first loaded there are none, and a join or a list of ids may read
-- the whole table for every window.
select session.interaction_id,
       session.content_hash,
       session.missing_since is not null as is_missing,
       session.last_changed_at,
       session.session_started_at,
       session.conversation_id is null as is_bot_only,
       exists (
           select
           from smartassist_sync.absences as absence
           where absence.account_id = $1 and absence.interaction_id = session.interaction_id
       ) as was_missed
from unnest($2::text[]) as wanted (interaction_id)
cross join lateral (
    select found.interaction_id, found.content_hash, found.last_changed_at, found.missing_since, found.conversation_id,
           found.session_started_at
    from smartassist.sessions as found
    where found.account_id = $1 and found.interaction_id = wanted.interaction_id
    limit 1
) as session
