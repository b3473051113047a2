-- Labels, reckoned from the rows: of each key the last name, with the end of the key where two share one.
create schema names;
create table names.queues as
select queue_key, case when count(*) over (partition by name) > 1 then name || ' (' || right(queue_key, 6) || ')' else name end as label
from (
    select distinct on (queue_key) queue_key, coalesce(queue_name, queue_key) as name
    from (
        select coalesce(d.queue_id, d.queue_name) as queue_key, d.queue_name, coalesce(d.entered_at, s.session_started_at) as at
        from smartassist.destinations as d
        join smartassist.sessions as s using (interaction_key)
        where coalesce(d.queue_id, d.queue_name) is not null and s.missing_since is null
    ) as seen
    order by queue_key, queue_name is null, at desc
) as last;
create table names.agents as
select agent_key, case when count(*) over (partition by name) > 1 then name || ' (' || right(agent_key, 6) || ')' else name end as label
from (
    select distinct on (agent_key) agent_key, coalesce(agent_name, agent_key) as name
    from (
        select coalesce(a.agent_id, a.agent_name, '(unknown)') as agent_key, a.agent_name, coalesce(a.assigned_at, a.accepted_at, s.session_started_at) as at
        from smartassist.agent_segments as a
        join smartassist.sessions as s using (interaction_key)
        where s.missing_since is null
    ) as seen
    order by agent_key, agent_name is null, at desc
) as last;
