-- What has no id cannot come well again, only not come again: all of the stretch in which it was seen last has been read since.
update smartassist_sync.rejected_records as gone
set resolved_at = $2
where gone.account_id = $1 and gone.interaction_id is null and gone.resolved_at is null
    and gone.range && $3
    and gone.payload_hash <> all($4)
    and gone.range <@ (
        select coalesce(range_agg(drained.range), '{}')
        from smartassist_sync.windows as drained
        where drained.account_id = $1 and drained.status = 'drained' and drained.started_at > gone.last_seen_at
    )
