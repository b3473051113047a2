-- Verifying reads windows without storing anything. Its lines are in the ledger since its requests are spent from the same budget, but they say
-- nothing about what is loaded: the comments have to say so.

comment on column smartassist_sync.windows.purpose is
    'Why it was fetched: new (not covered yet), refresh (records change later), backfill (asked for by an operator), gap (a hole was tried again) or verify (compared with what is stored; nothing of it is written).';
comment on column smartassist_sync.windows.status is
    'drained (every record in it was seen; for verify: seen or counted), split (too many records, or rows that shifted: fetched in parts), gap (some records cannot be had even in the smallest part: data is missing) or failed.';
