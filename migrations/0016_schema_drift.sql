-- Fields of the API that this version does not know. Their values are kept with the row (extra); here is only that they exist, so that somebody
-- notices that the API has grown.

create table smartassist_sync.schema_drift (
    account_id text not null,
    path text not null,
    json_type text not null,
    first_seen_at timestamptz not null,
    last_seen_at timestamptz not null,
    times_seen bigint not null,
    constraint schema_drift_pkey primary key (account_id, path, json_type),
    constraint schema_drift_path_fits_key check (octet_length(path) between 1 and 512),
    constraint schema_drift_json_type_known check (json_type in ('string', 'number', 'boolean', 'array', 'object')),
    constraint schema_drift_times_seen_positive check (times_seen > 0)
);

comment on table smartassist_sync.schema_drift is
    'Fields that the API sends and that this version does not know, by path and JSON type. Never a value: those are in extra, of sessions or of the row that the field belongs to. A field inside metaInfo is not drift: what is in there is the bot''s author''s own. At most 1,000 entries an account.';
comment on column smartassist_sync.schema_drift.account_id is
    'The SmartAssist account that sent the field. Part of the key.';
comment on column smartassist_sync.schema_drift.path is
    'Where in the record the field stands, as in destinations[].respondingAgent.mood. A name that may itself be a value is written as *. Part of the key.';
comment on column smartassist_sync.schema_drift.json_type is
    'JSON type of its value: string, number, boolean, array or object. Part of the key.';
comment on column smartassist_sync.schema_drift.first_seen_at is
    'Instant at which a window with such a field was first stored.';
comment on column smartassist_sync.schema_drift.last_seen_at is
    'Instant at which a window with such a field was last stored.';
comment on column smartassist_sync.schema_drift.times_seen is
    'How many records had it, those that were read again included.';
