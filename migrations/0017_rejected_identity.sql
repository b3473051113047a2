-- A record that arrives well after all resolves its rejection: it is found by the id that it had then.

alter table smartassist_sync.rejected_records add column interaction_id text;

-- "Which rejections does this window resolve?" (asked by every window; unresolved ones are few)
create index rejected_records_unresolved on smartassist_sync.rejected_records (account_id, interaction_id)
    where resolved_at is null;

comment on column smartassist_sync.rejected_records.interaction_id is
    'Identity that the record would have as an interaction. NULL where it has none, or none that can be read.';
comment on column smartassist_sync.rejected_records.resolved_at is
    'Instant at which the record became a row after all: it arrived well in a later window, or retry-rejected could read it. NULL while it is unresolved.';
