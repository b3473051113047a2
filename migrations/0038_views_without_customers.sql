-- Views for BI tools hold no name, number or address of a customer, and no arrays.
--
-- user_id may be an e-mail address or a phone number: channels choose it. The views show a keyed hash in its place, by which contacts of one
-- customer can be counted, and which nobody can try numbers on who cannot read the key. Free text in which such a thing may stand is withheld
-- where it looks as if it did.
--
-- BI tools write lower(column) around every column of a filter, which PostgreSQL does not know for arrays, and group by whole arrays. So there is
-- a view of one row a disposition, and elsewhere dispositions are one text.

create table smartassist_sync.contact_key_secret (
    secret bytea not null default decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'),
    is_only boolean not null default true,
    constraint contact_key_secret_pkey primary key (is_only),
    constraint contact_key_secret_only check (is_only),
    constraint contact_key_secret_long check (octet_length(secret) = 32)
);

insert into smartassist_sync.contact_key_secret default values;

-- The view is made again around what it was, column by column: a column cannot become another one in place. Whoever may read it goes on reading it.
do $$
declare
    old_definition constant text := rtrim(pg_get_viewdef('smartassist_bi.interactions'::regclass), '; ');
    columns text;
    comments text;
    grants text;
begin
    select
        string_agg(
            case attname
                when 'user_id' then
                    $c$case when told.user_id is not null then left(encode(sha256(
                        (select secret from smartassist_sync.contact_key_secret) || convert_to(told.user_id, 'UTF8')
                    ), 'hex'), 32) end as contact_key$c$
                when 'reason' then
                    $c$case when told.reason ~ '@|\d(\W*\d){6}' then '(withheld)' else told.reason end as reason$c$
                when 'dispositions' then
                    $c$nullif((
                        select string_agg(
                            case when given.disposition ~ '@|\d(\W*\d){6}' then '(withheld)' else given.disposition end,
                            ', ' order by given.place
                        )
                        from unnest(told.dispositions) with ordinality as given (disposition, place)
                    ), '') as dispositions$c$
                else format('told.%I', attname)
            end,
            ', ' order by attnum
        ),
        string_agg(
            format(
                'comment on column smartassist_bi.interactions.%I is %L',
                attname, col_description(attrelid, attnum)
            ),
            '; ' order by attnum
        ) filter (where attname not in ('user_id', 'dispositions'))
    into columns, comments
    from pg_attribute
    where attrelid = 'smartassist_bi.interactions'::regclass and attnum > 0 and not attisdropped;

    select string_agg(
        format(
            'grant %s on smartassist_bi.interactions to %s', given.privilege_type,
            case when given.grantee = 0 then 'public' else given.grantee::regrole::text end
        ),
        '; '
    )
    into grants
    from pg_class as view, aclexplode(view.relacl) as given
    where view.oid = 'smartassist_bi.interactions'::regclass and given.grantee <> view.relowner;

    drop view smartassist_bi.interactions;
    execute format('create view smartassist_bi.interactions as select %s from (%s) as told', columns, old_definition);
    execute comments;
    if grants is not null then
        execute grants;
    end if;
end
$$;

create view smartassist_bi.interaction_dispositions as
select
    s.account_id,
    s.interaction_id,
    s.channel,
    s.direction,
    s.session_started_at,
    given.position,
    case when given.disposition ~ '@|\d(\W*\d){6}' then '(withheld)' else given.disposition end as disposition,
    case when given.position = 1 then 1 else 0 end as interactions
from smartassist.sessions as s
cross join lateral unnest(s.dispositions) with ordinality as given (disposition, position)
where s.missing_since is null and given.disposition is not null;

comment on table smartassist_sync.contact_key_secret is
    'The key of the hashes in smartassist_bi.interactions.contact_key, made at random for this database. Whoever reads it can try out which customer a hash is of. Has one row.';
comment on column smartassist_sync.contact_key_secret.secret is
    '32 random bytes. Another value gives every customer another contact_key.';
comment on column smartassist_sync.contact_key_secret.is_only is
    'Always true, so that there is one row only.';

comment on view smartassist_bi.interactions is
    'One row per interaction that the API still returns, with its first queue and the agents who answered. Ask for a period (session_started_at), which limits how much is read. Contains agents'' names, and of customers a keyed hash only.';
comment on column smartassist_bi.interactions.contact_key is
    'Tells customers apart, to count repeated contacts: a keyed hash of the customer''s identifier, the same for the same one, that says nothing of it. NULL where the API gives none. Derived from userId.';
comment on column smartassist_bi.interactions.reason is
    'Reason for the status; may also hold a disposition. "(withheld)" where it holds what looks like an e-mail address or a phone number. API: reason or Reason.';
comment on column smartassist_bi.interactions.dispositions is
    'Dispositions that were assigned to the conversation, joined by commas; NULL where there are none. One row each: interaction_dispositions. API: dispositions.';

comment on view smartassist_bi.interaction_dispositions is
    'One row per disposition of an interaction that the API still returns. Count dispositions by rows, and interactions by sum(interactions). Ask for a period (session_started_at).';
comment on column smartassist_bi.interaction_dispositions.account_id is
    'The SmartAssist account that the interaction belongs to.';
comment on column smartassist_bi.interaction_dispositions.interaction_id is
    'Identity of the interaction within its account.';
comment on column smartassist_bi.interaction_dispositions.channel is
    'Channel of the interaction. API: channel.';
comment on column smartassist_bi.interaction_dispositions.direction is
    'Direction of the interaction as sent. API: Direction.';
comment on column smartassist_bi.interaction_dispositions.session_started_at is
    'Instant at which the session started. API: sessionStartTime.';
comment on column smartassist_bi.interaction_dispositions.position is
    'Position of the disposition in the interaction, from 1. Derived.';
comment on column smartassist_bi.interaction_dispositions.disposition is
    'The disposition. "(withheld)" where it holds what looks like an e-mail address or a phone number. API: dispositions.';
comment on column smartassist_bi.interaction_dispositions.interactions is
    '1 at position 1, else 0: their sum is the number of interactions. Derived.';

-- What 0030 says of functions holds for those that were made or replaced since: `create or replace function` forgets where it looks names up.
do $$
declare
    forgetful regprocedure;
begin
    for forgetful in
        select function.oid::regprocedure
        from pg_proc as function
        join pg_namespace as schema on schema.oid = function.pronamespace
        where
            schema.nspname in ('smartassist', 'smartassist_sync', 'smartassist_bi')
            and not coalesce(function.proconfig, '{}') @> array['search_path=pg_catalog, pg_temp']
    loop
        execute format('alter function %s set search_path = pg_catalog, pg_temp', forgetful);
        execute format('revoke execute on function %s from public', forgetful);
    end loop;
end
$$;
