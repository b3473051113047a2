insert into smartassist.agents as agent (account_id, agent_key, agent_id, agent_name, agent_label, last_seen_at)
select distinct on (seen.agent_key)
    $1, seen.agent_key, seen.agent_id, coalesce(seen.agent_name, seen.agent_key), seen.agent_key, seen.seen_at
from (
    select
        offer.agent_key,
        segment.agent_id,
        segment.agent_name,
        coalesce(segment.assigned_at, segment.accepted_at, offer.session_started_at) as seen_at
    from smartassist.fact_agent_offers as offer
    join smartassist.agent_segments as segment
        on segment.interaction_key = offer.interaction_key
        and segment.destination_index = offer.destination_index
        and segment.segment_index = offer.segment_index
    where offer.interaction_key = any($2)
) as seen
order by seen.agent_key, seen.seen_at desc, seen.agent_name
on conflict (account_id, agent_key) do update set agent_name = excluded.agent_name, last_seen_at = excluded.last_seen_at
where excluded.last_seen_at > agent.last_seen_at or (excluded.last_seen_at = agent.last_seen_at and excluded.agent_name <> agent.agent_name)
