-- A role for BI tools and analysts who need no personal data of customers: it sees the schema smartassist_bi alone, whose views hold no name, number
-- or address of a customer. smartassist_reader sees the tables, and with them all that is stored about people.
--
-- As for that role (0005): roles belong to the whole cluster, another database of it may have made it or be making it now, and a user who may not
-- create roles leaves it out with a warning.

do $$
declare
    meaning constant text :=
        'May read the views of schema smartassist_bi, which hold no name, number or address of a customer, and nothing else. Made by smartassist-etl; grant it to the logins of BI tools.';
    remedy constant text := format(
        'create role smartassist_bi_reader nologin; '
        'comment on role smartassist_bi_reader is %L; '
        'grant usage on schema smartassist_bi to smartassist_bi_reader; '
        'grant select on all tables in schema smartassist_bi to smartassist_bi_reader; '
        'alter default privileges for role %I in schema smartassist_bi grant select on tables to smartassist_bi_reader;',
        meaning, current_user
    );
begin
    if not exists (select from pg_catalog.pg_roles where rolname = 'smartassist_bi_reader') then
        begin
            create role smartassist_bi_reader nologin;
            execute format('comment on role smartassist_bi_reader is %L', meaning);
        exception
            when duplicate_object or unique_violation then
                null;
            when insufficient_privilege then
                raise warning 'the role smartassist_bi_reader was not created, since % may not create roles; an administrator can run, in database %: %',
                    quote_ident(current_user), quote_ident(current_database()), remedy;
                return;
        end;
    end if;

    grant usage on schema smartassist_bi to smartassist_bi_reader;
    grant select on all tables in schema smartassist_bi to smartassist_bi_reader;
    -- Holds for what the same user creates later.
    alter default privileges in schema smartassist_bi grant select on tables to smartassist_bi_reader;
end
$$;

comment on schema smartassist_bi is
    'Views for BI tools, for the role smartassist_bi_reader. They leave out interactions that the API no longer returns, and hold no name, number or address of a customer: contact_key tells customers apart.';
