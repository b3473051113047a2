-- What began before is found by its start, a day before at most, as in counts_by_membership.sql.
select session.interaction_id
from smartassist.sessions as session
join smartassist_sync.accounts as account on account.account_id = session.account_id
where session.account_id = $1
    and session.session_started_at < $3
    and (session.session_started_at >= $2
        or ($4 and session.session_started_at >= $2 - interval '1 day' and session.session_ended_at > $2))
    and ((session.session_ended_at >= $2 and session.session_ended_at < $3)
        or ($5 and (session.session_ended_at >= $3 or session.session_ended_at is null)))
    and session.missing_since is null
    and session.first_seen_at >= coalesce(account.filters_changed_at, '-infinity')
