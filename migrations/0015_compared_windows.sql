-- Verifying reads windows without storing anything. Its lines are in the ledger since its requests are spent from the same budget, but they say
-- nothing about what is loaded: no gap comes of them, and the comments have to say so.

create or replace view smartassist_sync.gaps as
select
    tried.account_id,
    tried.range,
    tried.times_tried,
    tried.first_tried_at,
    tried.last_tried_at,
    -- Seven doublings are past a day already; more would only overflow.
    tried.last_tried_at
        + least(interval '15 minutes' * 2 ^ least(tried.times_tried - 1, 7), interval '1 day') as next_try_at,
    tried.error
from (
    select
        fetched.account_id,
        fetched.range,
        count(*) as times_tried,
        min(fetched.finished_at) as first_tried_at,
        max(fetched.finished_at) as last_tried_at,
        (array_agg(fetched.error order by fetched.finished_at desc, fetched.id desc))[1] as error
    from smartassist_sync.windows as fetched
    join smartassist_sync.accounts as account on account.account_id = fetched.account_id
    where
        fetched.status = 'gap'
        -- Nothing of what was only compared is stored, and it may lie where nothing is wanted.
        and fetched.purpose <> 'verify'
        -- Other filters may fit where these did not.
        and fetched.started_at >= coalesce(account.filters_changed_at, '-infinity')
        and not fetched.range <@ account.coverage
    group by fetched.account_id, fetched.range
) as tried;

comment on column smartassist_sync.windows.purpose is
    'Why it was fetched: new (not covered yet, at the head of time), refresh (records change later), backfill (asked for by an operator), gap (a gap was tried again) or verify (compared with what is stored; nothing of it is written).';
comment on column smartassist_sync.windows.status is
    'drained (every record in it was seen; for verify: seen or counted), split (too many records, or rows that shifted: fetched in parts), gap (some records cannot be had even in the smallest part: what was reachable is stored, the rest is missing, see smartassist_sync.gaps) or failed (nothing of it is stored; also where it was let go). For verify it says how reading went: nothing is stored whatever it is.';
