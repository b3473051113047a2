-- A replay that was stopped and goes on has to remember what the part before could not rebuild, or it would end as if all were well.
alter table smartassist_sync.replays add column rejected bigint not null default 0;

comment on column smartassist_sync.replays.rejected is
    'Raw records up to position that could not be rebuilt.';
