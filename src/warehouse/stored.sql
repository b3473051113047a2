-- One lookup by key for each, whatever the statistics say: while an account is first loaded there are none, and a join or a list of keys may read
-- the whole table for every window.
select session.interaction_key,
       session.content_hash,
       session.missing_since is not null as is_missing,
       session.last_changed_at,
       session.session_started_at
from unnest($1::uuid[]) as wanted (interaction_key)
cross join lateral (
    select found.interaction_key, found.content_hash, found.last_changed_at, found.missing_since, found.session_started_at
    from smartassist.sessions as found
    where found.interaction_key = wanted.interaction_key
    limit 1
) as session
