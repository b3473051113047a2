-- Spreads the warehouse over the nodes of a Citus cluster. docs/scaling.md says when that is worth it and what is different then.
--
--   psql -v ON_ERROR_STOP=1 -f deploy/citus/distribute.sql postgres://postgres@coordinator/warehouse
--
-- Run it on the coordinator, as superuser, after `smartassist-etl migrate`, into an empty or a loaded database. It is one transaction; whoever
-- loads waits until it ends. What is distributed already is left alone, so run it again after every upgrade of smartassist-etl or Citus, after a
-- node was added and after shards were moved: what is new is distributed, and readers get their rights there.

begin;
set local client_min_messages = warning;
set local search_path = pg_catalog, pg_temp;
-- All of it on one connection to each node: a transaction that has changed one table cannot change another on a second one.
set local citus.multi_shard_modify_mode = 'sequential';

do $$
begin
    if not exists (select from pg_extension where extname = 'citus') then
        raise exception 'Citus is not installed in this database' using hint = 'Run `create extension citus` on every node.';
    elsif not (select rolsuper from pg_roles where rolname = current_user) then
        raise exception 'only a superuser can distribute tables and grant rights on their shards';
    elsif (select split_part(extversion, '.', 1)::integer < 13 from pg_extension where extname = 'citus') then
        raise exception 'Citus 13 or later is needed';
    elsif not exists (select from pg_dist_node where groupid = 0) then
        raise exception 'the other nodes do not know the coordinator' using hint = 'Run `select citus_set_coordinator_host(...)`.';
    elsif not citus_is_coordinator() then
        raise exception 'this node is not the coordinator of the cluster';
    elsif not exists (select from pg_dist_node where isactive and shouldhaveshards) then
        raise exception 'no node may hold shards' using hint = 'Run `select citus_add_node(...)` for each.';
    elsif to_regclass('smartassist.sessions') is null then
        raise exception 'there is no schema smartassist in this database' using hint = 'Run `smartassist-etl migrate` first.';
    end if;
end
$$;

-- Every transaction of a loader begins with a row of this table.
lock table smartassist_sync.accounts in exclusive mode;

-- Tables with the key of an interaction are distributed by it, so that all that belongs to one interaction is on one node and one account is on
-- all of them. The small ones that reports are joined with are on every node. The ledger stays a local table of the coordinator.
do $$
declare
    target record;
    foreign_keys text[];
    statement text;
    loaded regclass[] := '{}';
begin
    perform create_distributed_function('smartassist.interaction_key(text, text, text)');
    for target in
        select
            class.oid::regclass as name,
            exists (select from pg_attribute where attrelid = class.oid and attname = 'interaction_key' and not attisdropped) as has_key
        from pg_class as class
        where class.relnamespace = 'smartassist'::regnamespace and class.relkind = 'r'
            and not exists (select from pg_dist_partition where logicalrelid = class.oid)
        -- Its shards are where those of the others go.
        order by class.relname <> 'sessions', class.relname
    loop
        if not target.has_key then
            perform create_reference_table(target.name);
        else
            -- A foreign key cannot lead from a distributed table to one that is not, or back. They are made again below.
            if foreign_keys is null then
                select
                    coalesce(array_agg(format('alter table %s add constraint %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid))), '{}')
                into foreign_keys
                from pg_constraint
                where contype = 'f' and connamespace = 'smartassist'::regnamespace;
                for statement in
                    select format('alter table %s drop constraint %I', conrelid::regclass, conname)
                    from pg_constraint
                    where contype = 'f' and connamespace = 'smartassist'::regnamespace
                loop
                    execute statement;
                end loop;
            end if;
            perform create_distributed_table(
                target.name, 'interaction_key',
                colocate_with => case when target.name = 'smartassist.sessions'::regclass then 'none' else 'smartassist.sessions' end
            );
        end if;
        loaded := loaded || target.name;
    end loop;
    -- The rows that were here have been copied to the shards.
    foreach target.name in array loaded loop
        perform truncate_local_data_after_distributing_table(target.name);
    end loop;
    foreach statement in array coalesce(foreign_keys, '{}') loop
        execute statement;
    end loop;
end
$$;

commit;

-- On one machine a view is read with the rights of its owner. The nodes read their shards with those of whoever asks, so readers of the views
-- need rights on what the views are made of: on the small tables and some of the ledger, and on the shards of the rest. There they get the columns
-- that the views read and no others, since Citus asks the shards alone whether somebody may COPY a table.
do $$
declare
    reader name;
begin
    foreach reader in array array['smartassist_bi_reader', 'smartassist_reader'] loop
        continue when not exists (select from pg_catalog.pg_roles where rolname = reader);
        execute format('grant usage on schema smartassist, smartassist_sync to %I', reader);
        execute format(
            'grant select on smartassist.reporting, smartassist.queues, smartassist.agents, '
            'smartassist_sync.accounts, smartassist_sync.runs, smartassist_sync.windows to %I', reader
        );
        execute format('grant select (account_id, resolved_at) on smartassist_sync.rejected_records to %I', reader);
    end loop;
end
$$;

-- Each node does this by itself, which no transaction undoes.
do $$
declare
    target record;
    failed record;
begin
    -- These run any statement on a node, with the rights that its caller has there.
    for target in
        select oid::regprocedure as name
        from pg_catalog.pg_proc
        where pronamespace = 'pg_catalog'::regnamespace and (proname like 'run\_command\_on\_%' or proname = 'master_run_on_worker')
    loop
        execute format('revoke execute on function %s from public', target.name);
    end loop;
    for target in
        select
            read.attrelid::regclass as name,
            format('grant select (%s) on %%s to %I', string_agg(format('%I', read.attname), ', '), role.rolname) as statement
        from pg_catalog.pg_roles as role
        cross join (
            select distinct attribute.attrelid, attribute.attname
            from pg_catalog.pg_rewrite as rule
            join pg_catalog.pg_class as view on view.oid = rule.ev_class and view.relnamespace = 'smartassist_bi'::regnamespace
            join pg_catalog.pg_depend as used on used.classid = 'pg_rewrite'::regclass and used.objid = rule.oid
            join pg_catalog.pg_attribute as attribute on attribute.attrelid = used.refobjid and attribute.attnum = used.refobjsubid
            join pg_catalog.pg_dist_partition as distributed on distributed.logicalrelid = used.refobjid and distributed.partmethod = 'h'
            where used.refclassid = 'pg_class'::regclass and attribute.attnum > 0
        ) as read
        where role.rolname in ('smartassist_bi_reader', 'smartassist_reader')
        group by read.attrelid, role.rolname
    loop
        for failed in select result from run_command_on_placements(target.name, target.statement) where not success loop
            raise exception 'could not give readers their rights on the shards of %: %', target.name, failed.result;
        end loop;
    end loop;
end
$$;

-- The planner knows nothing of rows that were moved.
analyze;

select table_name, citus_table_type, distribution_column, shard_count, table_size from citus_tables order by table_name::text;
