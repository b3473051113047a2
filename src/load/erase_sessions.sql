with doomed as (
    select unnest($2::text[]) as interaction_id
),
counted as (
    select
        (select count(*) from smartassist.sessions where account_id = $1 and interaction_id in (table doomed)) as sessions,
        (select count(*) from smartassist.destinations where account_id = $1 and interaction_id in (table doomed)) as destinations,
        (select count(*) from smartassist.agent_segments where account_id = $1 and interaction_id in (table doomed)) as agent_segments,
        (select count(*) from smartassist.consultations where account_id = $1 and interaction_id in (table doomed)) as consultations,
        (select count(*) from smartassist.joined_users where account_id = $1 and interaction_id in (table doomed)) as joined_users,
        (select count(*) from smartassist.tags where account_id = $1 and interaction_id in (table doomed)) as tags,
        (select count(*) from smartassist.raw_interactions where account_id = $1 and interaction_id in (table doomed)) as raw_interactions
),
absent as (
    delete from smartassist_sync.absences where account_id = $1 and interaction_id in (table doomed) and not $3
),
deleted as (
    delete from smartassist.sessions where account_id = $1 and interaction_id in (table doomed) and not $3
)
select sessions, destinations, agent_segments, consultations, joined_users, tags, raw_interactions
from counted
