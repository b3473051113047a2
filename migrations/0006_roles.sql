-- Roles for people and tools that read: grant one to each login (`grant smartassist_bi_reader to metabase`). smartassist_reader sees the data and
-- the views, smartassist_bi_reader the views alone, which have no column for a name, number or address of a customer. Neither sees the ledger.
--
-- Roles belong to the whole cluster. Another database of it may have made one already, or be making it in this very moment: then creating it
-- waits for that other transaction and ends in a unique violation, which is as good as success. A migrating user who may not create roles
-- leaves it out with a warning that holds the statements for an administrator; nothing else depends on it.

do $$
declare
    reader record;
    grants text[];
    statement text;
begin
    for reader in
        values
            (
                'smartassist_reader', 'smartassist, smartassist_bi',
                'May read the SmartAssist data and the BI views. Made by smartassist-etl; grant it to the logins of analysts and BI tools.'
            ),
            (
                'smartassist_bi_reader', 'smartassist_bi',
                'May read the views of schema smartassist_bi, which have no column for a name, number or address of a customer, and nothing else. Made by smartassist-etl; grant it to the logins of BI tools.'
            )
    loop
        -- The last holds for what the same user creates later.
        grants := array[
            format('grant usage on schema %s to %I', reader.column2, reader.column1),
            format('grant select on all tables in schema %s to %I', reader.column2, reader.column1),
            format('grant execute on all functions in schema smartassist_bi to %I', reader.column1),
            format(
                'alter default privileges for role %I in schema %s grant select on tables to %I',
                current_user, reader.column2, reader.column1
            )
        ];
        if not exists (select from pg_catalog.pg_roles where rolname = reader.column1) then
            begin
                execute format('create role %I nologin', reader.column1);
                execute format('comment on role %I is %L', reader.column1, reader.column3);
            exception
                when duplicate_object or unique_violation then
                    null;
                when insufficient_privilege then
                    raise warning 'the role % was not created, since % may not create roles; an administrator can run, in database %: %;',
                        reader.column1, quote_ident(current_user), quote_ident(current_database()),
                        format(
                            'create role %I nologin; comment on role %I is %L; %s',
                            reader.column1, reader.column1, reader.column3, array_to_string(grants, '; ')
                        );
                    continue;
            end;
        end if;
        foreach statement in array grants loop
            execute statement;
        end loop;
    end loop;
end
$$;

-- PostgreSQL lets everybody execute a new function; those that readers may are granted above. There are no default privileges for it: PostgreSQL knows this one for all schemas of a role
-- only, ours or not.
revoke execute on all functions in schema smartassist, smartassist_sync, smartassist_bi from public;
