-- A list and no join: a first load has no statistics, and a join may read the whole table for every window.
select interaction_key,
       content_hash,
       missing_since is not null as is_missing,
       last_changed_at,
       session_started_at
from smartassist.sessions
where interaction_key = any($1)
