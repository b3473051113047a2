-- A source that sends nothing but bad records must not fill the disk: of each day a bounded number of them is kept, of a large one a part, and the rest
-- is counted.

alter table smartassist_sync.rejected_records add column record_bytes bigint;

create table smartassist_sync.rejections_by_day (
    account_id text not null,
    day date not null,
    kept bigint not null default 0,
    kept_bytes bigint not null default 0,
    counted_alone bigint not null default 0,
    constraint rejections_by_day_pkey primary key (account_id, day),
    constraint rejections_by_day_account_id_fits_key check (octet_length(account_id) between 1 and 512)
);

comment on table smartassist_sync.rejected_records is
    'Records that could not become rows, kept with their text so that they can be tried again: at most 1,000 new ones and 16 MiB of text for each account and day, see rejections_by_day for the others. Contains personal data.';
comment on column smartassist_sync.rejected_records.payload is
    'The record as text, after the privacy rules as far as they could be applied; of one that is too large, its small documented fields, or its beginning. Personal data.';
comment on column smartassist_sync.rejected_records.record_bytes is
    'Size of a record that was too large, in bytes, of which payload holds a part; it is not tried again. NULL where payload is the whole record.';

comment on table smartassist_sync.rejections_by_day is
    'How many rejected records of a day were kept, and how many were only counted since the day''s bounds (1,000 records, 16 MiB) were reached. One row per account and day on which anything was rejected for the first time.';
comment on column smartassist_sync.rejections_by_day.account_id is
    'The SmartAssist account. Part of the key.';
comment on column smartassist_sync.rejections_by_day.day is
    'The day on which they were rejected, in UTC. Part of the key.';
comment on column smartassist_sync.rejections_by_day.kept is
    'Records that became entries of rejected_records on that day.';
comment on column smartassist_sync.rejections_by_day.kept_bytes is
    'Bytes of their text.';
comment on column smartassist_sync.rejections_by_day.counted_alone is
    'Rejections of which nothing but this count is kept; a record that is read again counts again.';
