insert into smartassist.{noun}s as {noun} (account_id, {noun}_key, {noun}_id, {noun}_name, {noun}_label, last_seen_at)
select $1, seen.key, seen.id, coalesce(seen.name, seen.key), seen.key, seen.at
from unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[]) as seen (key, id, name, at)
on conflict (account_id, {noun}_key) do update set
    {noun}_name = case when excluded.{noun}_name = excluded.{noun}_key then {noun}.{noun}_name else excluded.{noun}_name end,
    last_seen_at = excluded.last_seen_at
where excluded.last_seen_at > {noun}.last_seen_at or (excluded.last_seen_at = {noun}.last_seen_at and excluded.{noun}_name <> {noun}.{noun}_name)
