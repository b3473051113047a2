with meant as (
    select session.interaction_id, session.session_id, session.conversation_id
    from smartassist.sessions as session
    where session.account_id = $1 and session.interaction_id = any($2)
),
doomed as (
    select interaction_id from meant
    union
    select session.interaction_id
    from smartassist.sessions as session
    join meant on meant.session_id = session.interaction_id
    where session.account_id = $1 and session.conversation_id is null and meant.conversation_id is not null
),
counted as (
    select
        (select count(*) from smartassist.destinations where account_id = $1 and interaction_id in (table doomed)) as destinations,
        (select count(*) from smartassist.agent_segments where account_id = $1 and interaction_id in (table doomed)) as agent_segments,
        (select count(*) from smartassist.consultations where account_id = $1 and interaction_id in (table doomed)) as consultations,
        (select count(*) from smartassist.tags where account_id = $1 and interaction_id in (table doomed)) as tags,
        (select count(*) from smartassist.raw_interactions where account_id = $1 and interaction_id in (table doomed)) as raw_interactions
),
absent as (
    delete from smartassist_sync.absences where account_id = $1 and interaction_id in (table doomed)
),
deleted as (
    delete from smartassist.sessions where account_id = $1 and interaction_id in (table doomed)
    returning 1
)
select (select count(*) from deleted), destinations, agent_segments, consultations, tags, raw_interactions
from counted
