-- With the name that each had last: of those that were seen now, and have one.
insert into smartassist.queues as queue (account_id, queue_key, queue_id, queue_name, queue_label, last_seen_at)
select $1, seen.key, seen.id, coalesce(seen.name, seen.key), seen.key, seen.at
from unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[]) as seen (key, id, name, at)
on conflict (account_id, queue_key) do update set
    queue_name = case when excluded.queue_name = excluded.queue_key then queue.queue_name else excluded.queue_name end,
    last_seen_at = excluded.last_seen_at
where excluded.last_seen_at > queue.last_seen_at or (excluded.last_seen_at = queue.last_seen_at and excluded.queue_name <> queue.queue_name)
