-- The name, and as much of the key as tells namesakes apart.
update smartassist.queues as queue
set queue_label = labelled.label
from (
    select
        named.queue_key,
        case
            when count(*) over (partition by named.queue_name) = 1 then named.queue_name
            when count(*) over (partition by named.queue_name, right(named.queue_key, 6)) = 1
                then named.queue_name || ' (' || right(named.queue_key, 6) || ')'
            else named.queue_name || ' (' || named.queue_key || ')'
        end as label
    from smartassist.queues as named
    where named.account_id = $1
) as labelled
where queue.account_id = $1 and queue.queue_key = labelled.queue_key and queue.queue_label <> labelled.label
