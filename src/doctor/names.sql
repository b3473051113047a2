-- Whether everybody may create objects in public, and which of them, outside of extensions, are named like
-- PostgreSQL's own functions or operators.
select
    exists (
        select from pg_namespace as schema
        where schema.nspname = 'public' and has_schema_privilege('public', schema.oid, 'create')
    ) as public_is_open,
    array(
        select shadow.name
        from (
            select function.oid::regprocedure::text as name, 'pg_proc'::regclass as class, function.oid as object
            from pg_proc as function
            join pg_namespace as schema on schema.oid = function.pronamespace and schema.nspname = 'public'
            where exists (
                select from pg_proc as own
                where own.pronamespace = 'pg_catalog'::regnamespace and own.proname = function.proname
            )
            union all
            select operator.oid::regoperator::text, 'pg_operator'::regclass, operator.oid
            from pg_operator as operator
            join pg_namespace as schema on schema.oid = operator.oprnamespace and schema.nspname = 'public'
            where exists (
                select from pg_operator as own
                where own.oprnamespace = 'pg_catalog'::regnamespace and own.oprname = operator.oprname
            )
        ) as shadow
        where not exists (
            select from pg_depend as part
            where part.classid = shadow.class and part.objid = shadow.object and part.deptype = 'e'
        )
        order by shadow.name
    ) as shadows
