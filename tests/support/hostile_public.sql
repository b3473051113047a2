-- What a neighbour who may create things in schema public can put in front of PostgreSQL's own functions and operators: one that fits its arguments
-- exactly is preferred to a polymorphic one, wherever it stands in the search path. Each of these ends the statement that calls it.
do $do$
declare
    elements constant regtype[] := '{text, boolean, integer, bigint, numeric, jsonb, uuid, bytea, date, timestamptz, interval}';
    element regtype;
    ours record;
begin
    foreach element in array elements loop
        -- "any" may also be a range, a multirange or an array; those come with the polymorphic types that name them.
        for ours in
            select distinct
                candidate.proname as name,
                (
                    select string_agg(
                        case argument.type::regtype::text
                            when 'anyarray' then element || '[]'
                            when 'anycompatiblearray' then element || '[]'
                            when 'anyrange' then 'tstzrange'
                            when 'anycompatiblerange' then 'tstzrange'
                            when 'anymultirange' then 'tstzmultirange'
                            when 'anycompatiblemultirange' then 'tstzmultirange'
                            when 'anyelement' then element::text
                            when 'anynonarray' then element::text
                            when 'anycompatible' then element::text
                            when 'anycompatiblenonarray' then element::text
                            when '"any"' then element::text
                            else argument.type::regtype::text
                        end,
                        ', ' order by argument.place
                    )
                    from unnest(candidate.proargtypes) with ordinality as argument (type, place)
                ) as arguments
            from pg_proc as candidate
            where
                candidate.pronamespace = 'pg_catalog'::regnamespace
                and candidate.prokind in ('f', 'a')
                and candidate.pronargs > 0
                and candidate.prorettype not in ('internal'::regtype, 'trigger'::regtype)
                and exists (
                    select from unnest(candidate.proargtypes) as argument (type)
                    where argument.type::regtype::text ~ '^"?any' and argument.type::regtype::text <> 'anyenum'
                )
                and not exists (
                    select from unnest(candidate.proargtypes) as argument (type)
                    where argument.type::regtype::text in ('internal', 'cstring', 'anyenum')
                )
        loop
            begin
                execute format(
                    $f$
                    create function public.%I(%s) returns text language plpgsql as
                    $$ begin raise exception 'public.%s was called'; end $$
                    $f$,
                    ours.name, ours.arguments, ours.name
                );
            exception
                when duplicate_function then null;
            end;
        end loop;
    end loop;
end
$do$;

do $do$
declare
    types constant regtype[] := '{text, boolean, integer, bigint, numeric, jsonb, uuid, bytea, date, timestamptz, interval, tstzrange, tstzmultirange,
        text[], integer[], bigint[], boolean[], timestamptz[], jsonb[], bytea[]}';
    trapped regtype;
    ours record;
begin
    foreach trapped in array types loop
        execute format(
            $f$
            create function public.trapped(%1$s, %1$s) returns boolean language plpgsql as
            $$ begin raise exception 'an operator of public was called'; end $$
            $f$,
            trapped
        );
        -- A literal beside a value is taken to be of its type where such an operator exists.
        for ours in
            select distinct oprname as name
            from pg_operator as candidate
            where
                oprnamespace = 'pg_catalog'::regnamespace
                and oprkind = 'b'
                and (oprleft = trapped or oprleft::regtype::text ~ '^any')
                and not exists (
                    select from pg_operator as exact
                    where
                        exact.oprnamespace = candidate.oprnamespace
                        and exact.oprname = candidate.oprname
                        and exact.oprleft = trapped
                        and exact.oprright = trapped
                )
        loop
            execute format(
                'create operator public.%s (leftarg = %s, rightarg = %s, function = public.trapped)',
                ours.name, trapped, trapped
            );
        end loop;
    end loop;
end
$do$;
