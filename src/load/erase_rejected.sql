-- As erase_candidates.sql; whether the text is JSON is not known, and it is as it came, with any escapes.
select account_id, id::text as id, payload as record
from smartassist_sync.rejected_records
where (account_id, rejected_records.id) > ($4, coalesce(nullif($5, ''), '0')::bigint)
  and (
      strpos(lower(payload collate "C"), lower($1 collate "C")) > 0
      or strpos(payload, $2) > 0
      or ($3 and strpos(regexp_replace(payload, '[^0-9]', '', 'g'), $1) > 0)
      or payload ~ '\\|\u212A|\u0130'
  )
order by account_id, rejected_records.id
limit $6
