-- Rows of these interactions by table.
select array[
    (select count(*) from smartassist.sessions where interaction_key = any($1::text[]::uuid[])),
    (select count(*) from smartassist.destinations where interaction_key = any($1::text[]::uuid[])),
    (select count(*) from smartassist.agent_segments where interaction_key = any($1::text[]::uuid[])),
    (select count(*) from smartassist.consultations where interaction_key = any($1::text[]::uuid[])),
    (select count(*) from smartassist.joined_users where interaction_key = any($1::text[]::uuid[])),
    (select count(*) from smartassist.tags where interaction_key = any($1::text[]::uuid[])),
    (select count(*) from smartassist.raw_interactions where interaction_key = any($1::text[]::uuid[]))
]
