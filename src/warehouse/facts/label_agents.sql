-- The name, and as much of the key as tells namesakes apart.
update smartassist.agents as agent
set agent_label = labelled.label
from (
    select
        named.agent_key,
        case
            when count(*) over (partition by named.agent_name) = 1 then named.agent_name
            when count(*) over (partition by named.agent_name, right(named.agent_key, 6)) = 1
                then named.agent_name || ' (' || right(named.agent_key, 6) || ')'
            else named.agent_name || ' (' || named.agent_key || ')'
        end as label
    from smartassist.agents as named
    where named.account_id = $1
) as labelled
where agent.account_id = $1 and agent.agent_key = labelled.agent_key and agent.agent_label <> labelled.label
