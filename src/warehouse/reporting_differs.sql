-- Settings that are stored and differ from $2, as name: old -> new.
select array(
    select format('%s: %s -> %s', stored.name, stored.value #>> '{}', now.value #>> '{}')
    from jsonb_each(to_jsonb(reporting)) with ordinality as stored (name, value, place)
    join jsonb_each($2) as now (name, value) on now.name = stored.name
    where now.value <> stored.value
    order by stored.place
)
from smartassist.reporting
where account_id = $1
