-- Interactions that started in these stretches and are judged, $5 at most.
select count(*)
from (
    select 1
    from unnest($2::timestamptz[], $3::timestamptz[]) as stretch (start, "end")
    join smartassist.sessions as session
        on session.session_started_at >= stretch.start and session.session_started_at < stretch."end"
    where session.account_id = $1
        and session.missing_since is null
        and session.first_seen_at >= coalesce($4, '-infinity')
    limit $5
) as judged
