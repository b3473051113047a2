-- Our reader roles that are missing or lack a right here, each with what an administrator runs. No row before the first migration.
select
    reader.role,
    concat_ws(
        '; ',
        case when role.oid is null then format('create role %I nologin', reader.role) end,
        format('grant usage on schema %s to %I', reader.schemas, reader.role),
        format('grant select on all tables in schema %s to %I', reader.schemas, reader.role),
        format('grant execute on all functions in schema smartassist_bi to %I', reader.role),
        format('alter default privileges for role %I in schema %s grant select on tables to %I', current_user, reader.schemas, reader.role)
    )
from (
    values
        ('smartassist_bi_reader', 'smartassist_bi', 'smartassist_bi.data_freshness'),
        ('smartassist_reader', 'smartassist, smartassist_bi', 'smartassist.sessions')
) as reader (role, schemas, relation)
left join pg_roles as role on role.rolname = reader.role
where to_regclass(reader.relation) is not null
    and not coalesce(
        has_table_privilege(role.oid, to_regclass(reader.relation), 'select')
            and has_schema_privilege(role.oid, split_part(reader.relation, '.', 1), 'usage'),
        false
    )
order by reader.role
