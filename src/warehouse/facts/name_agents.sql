-- With the name that each had last: of those that were seen now, and have one.
insert into smartassist.agents as agent (account_id, agent_key, agent_id, agent_name, agent_label, last_seen_at)
select $1, seen.key, seen.id, coalesce(seen.name, seen.key), seen.key, seen.at
from unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[]) as seen (key, id, name, at)
on conflict (account_id, agent_key) do update set
    agent_name = case when excluded.agent_name = excluded.agent_key then agent.agent_name else excluded.agent_name end,
    last_seen_at = excluded.last_seen_at
where excluded.last_seen_at > agent.last_seen_at or (excluded.last_seen_at = agent.last_seen_at and excluded.agent_name <> agent.agent_name)
