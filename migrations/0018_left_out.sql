-- Records that were read and are not to be stored: their customer was erased, or they are older than what is kept.

alter table smartassist_sync.runs add column left_out bigint not null default 0;
alter table smartassist_sync.windows add column left_out bigint not null default 0;

comment on column smartassist_sync.runs.left_out is
    'Interactions that were received and are not to be stored: their customer was erased, or they are older than storage.retention_days.';
comment on column smartassist_sync.windows.left_out is
    'Interactions that were received and are not to be stored: their customer was erased, or they are older than storage.retention_days.';
