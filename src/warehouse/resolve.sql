-- A record without an id cannot become a row: it is resolved once the stretch in which it was last seen was
-- drained without it, by this window ($5, begun at $6, if drained, $4) and later ones.
update smartassist_sync.rejected_records as waiting
set resolved_at = $2
where waiting.account_id = $1 and waiting.resolved_at is null
    and (
        waiting.interaction_key = any($3)
        or (
            waiting.interaction_key is null and $4 and waiting.range && $5::tstzrange and waiting.last_seen_at < $6
            and waiting.payload_hash <> all($7)
            and waiting.range <@ tstzmultirange($5) + (
                select coalesce(range_agg(drained.range), '{}')
                from smartassist_sync.windows as drained
                where drained.account_id = $1 and drained.status = 'drained'
                    and drained.started_at > waiting.last_seen_at
            )
        )
    )
returning waiting.last_seen_at, waiting.payload_hash = any($7)
