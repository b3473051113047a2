-- A rejected element without an id is resolved once the API no longer returns it.

comment on column smartassist_sync.rejected_records.resolved_at is
    'Instant at which the record became a row after all: it arrived well in a later window, or retry-rejected could read it. One without an id: at which all of range had been drained since last_seen_at without it. NULL while it is unresolved.';
