-- Whether this role may analyse all of the tables: their owner may, the database's owner, and from version 17 on whoever has MAINTAIN.
select bool_and(
    pg_has_role(class.relowner, 'USAGE')
    or (select pg_has_role(datdba, 'USAGE') from pg_database where datname = current_database())
    or case
        when current_setting('server_version_num')::integer >= 170000 then has_table_privilege(class.oid, 'MAINTAIN')
        else false
    end
)
from pg_class as class
join pg_namespace as namespace on namespace.oid = class.relnamespace
where class.relkind in ('r', 'p')
  and (namespace.nspname = 'smartassist' or (namespace.nspname, class.relname) = ('smartassist_sync', 'rejected_records'))
