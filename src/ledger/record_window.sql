insert into smartassist_sync.windows
    (account_id, token, run_id, range, purpose, status, pages, requests, records, distinct_records, reported_total,
     inserted, updated, unchanged, rejected, missing, left_out, retries, rate_limited, started_at, finished_at, error,
     judged, missed, marked, withheld, error_code)
select account_id, token, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
       $21, clock_timestamp(), $22, $23, $24, $25, $26, $27
from fence
