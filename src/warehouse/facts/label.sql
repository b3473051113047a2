-- The name, and as much of the key as tells namesakes apart.
update smartassist.{noun}s as {noun}
set {noun}_label = labelled.label
from (
    select
        named.{noun}_key,
        case
            when count(*) over (partition by named.{noun}_name) = 1 then named.{noun}_name
            when count(*) over (partition by named.{noun}_name, right(named.{noun}_key, 6)) = 1
                then named.{noun}_name || ' (' || right(named.{noun}_key, 6) || ')'
            else named.{noun}_name || ' (' || named.{noun}_key || ')'
        end as label
    from smartassist.{noun}s as named
    where named.account_id = $1
) as labelled
where {noun}.account_id = $1 and {noun}.{noun}_key = labelled.{noun}_key and {noun}.{noun}_label <> labelled.label
