-- As erase_candidates.sql; whether the text is JSON is not known.
select account_id, id::text as id, payload as record
from smartassist_sync.rejected_records
where (account_id, rejected_records.id) > ($4, coalesce(nullif($5, ''), '0')::bigint)
  and (
      strpos(lower(payload), lower($1)) > 0
      or strpos(lower(payload), lower(trim(both '"' from to_jsonb($1::text)::text))) > 0
      or strpos(payload, $2) > 0
      or ($3 and strpos(regexp_replace(payload, '[^0-9]', '', 'g'), $1) > 0)
  )
order by account_id, rejected_records.id
limit $6
