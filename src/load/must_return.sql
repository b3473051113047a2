select session.interaction_id
from smartassist.sessions as session
join smartassist_sync.accounts as account on account.account_id = session.account_id
where session.account_id = $1
    and session.session_started_at >= $2 and session.session_started_at < $3
    and ($4 or (session.session_ended_at >= $2 and session.session_ended_at < $3))
    and session.missing_since is null
    and session.first_seen_at >= coalesce(account.filters_changed_at, '-infinity')
