-- A role for people and tools that read: grant it to each login (`grant smartassist_reader to metabase`). It sees the data and the views, now and
-- later, and nothing of the daemon's own books.
--
-- Roles belong to the whole cluster. Another database of it may have made the role already, or be making it in this very moment: then creating
-- it waits for that other transaction and ends in a unique violation, which is as good as success. A migrating user who may not create roles
-- leaves it out with a warning that holds the statements for an administrator; nothing else depends on it.

do $$
declare
    remedy constant text := format(
        'create role smartassist_reader nologin; '
        'grant usage on schema smartassist, smartassist_bi to smartassist_reader; '
        'grant select on all tables in schema smartassist, smartassist_bi to smartassist_reader; '
        'alter default privileges for role %I in schema smartassist, smartassist_bi grant select on tables to smartassist_reader;',
        current_user
    );
begin
    if not exists (select from pg_catalog.pg_roles where rolname = 'smartassist_reader') then
        begin
            create role smartassist_reader nologin;
            comment on role smartassist_reader is
                'May read the SmartAssist data and the BI views. Made by smartassist-etl; grant it to the logins of analysts and BI tools.';
        exception
            when duplicate_object or unique_violation then
                null;
            when insufficient_privilege then
                raise warning 'the role smartassist_reader was not created, since % may not create roles; an administrator can run, in database %: %',
                    quote_ident(current_user), quote_ident(current_database()), remedy;
                return;
        end;
    end if;

    grant usage on schema smartassist, smartassist_bi to smartassist_reader;
    grant select on all tables in schema smartassist, smartassist_bi to smartassist_reader;
    -- Holds for what the same user creates later, the views of the next migration included.
    alter default privileges in schema smartassist, smartassist_bi grant select on tables to smartassist_reader;
end
$$;
