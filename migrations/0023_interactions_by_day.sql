-- How many interactions are stored of each day: the status page and `status` show it, and counting millions of rows each time would take seconds.
--
-- Kept by triggers, so that it holds whatever writes: windows, replays, erasures, retention, or somebody by hand. Per statement, not per row: a
-- window of a thousand interactions changes a few rows here. The function is the owner's, so that nobody needs rights to the books for
-- deleting data.

create table smartassist_sync.interactions_by_day (
    account_id text not null,
    day date not null,
    interactions bigint not null,
    constraint interactions_by_day_pkey primary key (account_id, day)
)
-- Today's row is updated with every poll that brings something: with room on the page an update leaves the index alone.
with (fillfactor = 50);

create function smartassist_sync.count_interactions_by_day()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    case tg_op
        when 'INSERT' then
            insert into smartassist_sync.interactions_by_day as counted (account_id, day, interactions)
            select account_id, (session_started_at at time zone 'UTC')::date, count(*)
            from added
            group by 1, 2
            order by 1, 2
            on conflict (account_id, day) do update set interactions = counted.interactions + excluded.interactions;
        when 'UPDATE' then
            -- Hardly ever does a session begin on another day than it did.
            insert into smartassist_sync.interactions_by_day as counted (account_id, day, interactions)
            select account_id, day, sum(change)
            from (
                select account_id, (session_started_at at time zone 'UTC')::date as day, 1 as change from added
                union all
                select account_id, (session_started_at at time zone 'UTC')::date, -1 from removed
            ) as changes
            group by account_id, day
            having sum(change) <> 0
            order by 1, 2
            on conflict (account_id, day) do update set interactions = counted.interactions + excluded.interactions;
            delete from smartassist_sync.interactions_by_day as counted
            using (select distinct account_id, (session_started_at at time zone 'UTC')::date as day from removed) as emptied
            where counted.account_id = emptied.account_id and counted.day = emptied.day and counted.interactions = 0;
        when 'DELETE' then
            insert into smartassist_sync.interactions_by_day as counted (account_id, day, interactions)
            select account_id, (session_started_at at time zone 'UTC')::date, -count(*)
            from removed
            group by 1, 2
            order by 1, 2
            on conflict (account_id, day) do update set interactions = counted.interactions + excluded.interactions;
            delete from smartassist_sync.interactions_by_day as counted
            using (select distinct account_id, (session_started_at at time zone 'UTC')::date as day from removed) as emptied
            where counted.account_id = emptied.account_id and counted.day = emptied.day and counted.interactions = 0;
        else
            delete from smartassist_sync.interactions_by_day;
    end case;
    return null;
end
$$;

create trigger sessions_inserted after insert on smartassist.sessions
referencing new table as added
for each statement execute function smartassist_sync.count_interactions_by_day();
create trigger sessions_updated after update on smartassist.sessions
referencing old table as removed new table as added
for each statement execute function smartassist_sync.count_interactions_by_day();
create trigger sessions_deleted after delete on smartassist.sessions
referencing old table as removed
for each statement execute function smartassist_sync.count_interactions_by_day();
create trigger sessions_truncated after truncate on smartassist.sessions
for each statement execute function smartassist_sync.count_interactions_by_day();

insert into smartassist_sync.interactions_by_day (account_id, day, interactions)
select account_id, (session_started_at at time zone 'UTC')::date, count(*)
from smartassist.sessions
group by 1, 2;

comment on table smartassist_sync.interactions_by_day is
    'How many interactions of each day are stored, those included that the API no longer returns. Kept by triggers on smartassist.sessions. Days without any have no row.';
comment on column smartassist_sync.interactions_by_day.account_id is
    'The SmartAssist account. Part of the key.';
comment on column smartassist_sync.interactions_by_day.day is
    'Day, in UTC, on which the interactions started. Part of the key.';
comment on column smartassist_sync.interactions_by_day.interactions is
    'Interactions that are stored and started on that day.';
comment on function smartassist_sync.count_interactions_by_day() is
    'Trigger of smartassist.sessions: keeps smartassist_sync.interactions_by_day.';
