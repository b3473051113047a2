update smartassist_sync.accounts
set coverage = coverage - tstzmultirange(tstzrange(null, $2)),
    wanted_from = greatest(wanted_from, $2),
    start_from = greatest(start_from, $2),
    settled = settled - tstzmultirange(tstzrange(null, $2)),
    updated_at = clock_timestamp()
where account_id = $1 and lower(coverage) < $2
