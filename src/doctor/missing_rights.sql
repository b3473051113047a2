-- Rights that we lack, for loading and for migrating alone. The catalogue can be read without them.
with ours as (
    select wanted.name, schema.oid, schema.nspowner
    from (values ('smartassist'), ('smartassist_sync'), ('smartassist_bi')) as wanted (name)
    left join pg_namespace as schema on schema.nspname = wanted.name
)
select
    array(
        select 'usage on schema ' || ours.name
        from ours
        where ours.oid is not null and not has_schema_privilege(ours.oid, 'usage')
        union all
        select needed.right_name || ' on table ' || ours.name || '.' || relation.relname
        from ours
        join pg_class as relation on relation.relnamespace = ours.oid and relation.relkind in ('r', 'p')
        cross join (values ('select'), ('insert'), ('update'), ('delete')) as needed (right_name)
        where ours.name <> 'smartassist_bi' and relation.relname <> 'schema_migrations'
            and not has_table_privilege(relation.oid, needed.right_name)
        union all
        -- What a trigger calls needs no right.
        select 'execute on function ' || function.oid::regprocedure
        from ours
        join pg_proc as function on function.pronamespace = ours.oid and function.prorettype <> 'trigger'::regtype
        where not has_function_privilege(function.oid, 'execute')
    ) as missing,
    array(
        select 'create on database ' || current_database()
        where exists (select from ours where ours.oid is null)
            and not has_database_privilege(current_database(), 'create')
        union all
        select 'ownership of schema ' || ours.name
        from ours
        where ours.oid is not null and not pg_has_role(ours.nspowner, 'usage')
    ) as missing_to_migrate
