-- Verifying reads windows without storing anything. Its lines are in the ledger since its requests are spent from the same budget, but they say
-- nothing about what is loaded, and the comments have to say so.

comment on column smartassist_sync.windows.purpose is
    'Why it was fetched: new (not covered yet, at the head of time), refresh (records change later), backfill (asked for by an operator), gap (a gap was tried again) or verify (compared with what is stored; nothing of it is written).';
comment on column smartassist_sync.windows.status is
    'drained (every record in it was seen; for verify: seen or counted), split (too many records, or rows that shifted: fetched in parts), gap (some records cannot be had even in the smallest part: what was reachable is stored, the rest is missing, see smartassist_sync.gaps) or failed (nothing of it is stored; also where it was let go). For verify it says how reading went: nothing is stored whatever it is.';
