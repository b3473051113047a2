-- The three schemas. They are apart because three kinds of readers use them: analysts the data and the views, the daemon alone its own
-- ledger, and rights are given by schema (0006_roles.sql).
--
-- `create schema if not exists` demands the right to create schemas even where nothing is to be created. Asking first lets an administrator
-- create them beforehand (`create schema smartassist authorization ...`) for a role that has no such right.

do $$
declare
    wanted text;
begin
    foreach wanted in array array['smartassist', 'smartassist_sync', 'smartassist_bi'] loop
        if not exists (select from pg_catalog.pg_namespace where nspname = wanted) then
            execute format('create schema %I', wanted);
        end if;
    end loop;
end
$$;

comment on schema smartassist is
    'SmartAssist interactions, each in the latest version that the loader saw; windows are read again for some time, since interactions change after their end. Sessions, and below them destinations, agent segments, consultations and tags. Every instant is a timestamptz, every duration is in whole seconds. Text is as sent, except that an empty text is NULL. Contains personal data.';
comment on schema smartassist_sync is
    'The ledger of the daemon that loads the schema smartassist: what was fetched, when, and what is still missing. Written by the daemon alone. Its tables may change in any version.';
comment on schema smartassist_bi is
    'Views for BI tools, for the role smartassist_bi_reader. They leave out interactions that the API no longer returns, and have no column for a name, number or address of a customer: contact_key tells customers apart. Names that your team gives (of queues, intents, campaigns, dispositions) are as sent.';
