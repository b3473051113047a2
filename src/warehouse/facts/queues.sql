insert into smartassist.queues as queue (account_id, queue_key, queue_id, queue_name, queue_label, last_seen_at)
select distinct on (seen.queue_key)
    $1, seen.queue_key, seen.queue_id, coalesce(seen.queue_name, seen.queue_key), seen.queue_key, seen.seen_at
from (
    select
        smartassist.dimension_key(destination.queue_id, destination.queue_name) collate "C" as queue_key,
        destination.queue_id,
        destination.queue_name,
        coalesce(destination.entered_at, visit.session_started_at) as seen_at
    from smartassist.fact_queue_visits as visit
    join smartassist.destinations as destination
        on destination.interaction_key = visit.interaction_key and destination.destination_index = visit.destination_index
    where visit.interaction_key = any($2)
) as seen
order by seen.queue_key, seen.seen_at desc, seen.queue_name
on conflict (account_id, queue_key) do update set queue_name = excluded.queue_name, last_seen_at = excluded.last_seen_at
where excluded.last_seen_at > queue.last_seen_at or (excluded.last_seen_at = queue.last_seen_at and excluded.queue_name <> queue.queue_name)
