-- A gap in what is not wanted any more (retention has moved start_from past it, or an operator has), or never was (a backfill of the
-- past has found it), is tried again by no poll and holds no watermark. It stays in the list, since records are missing there, and
-- says that nobody waits for it.

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
    tried.error,
    -- What of it lies in what is wanted, empty or not, may have been read by itself.
    not tried.range * tstzrange(account.start_from, null) <@ account.coverage as wanted
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
) as tried
join smartassist_sync.accounts as account on account.account_id = tried.account_id;

comment on column smartassist_sync.gaps.next_try_at is
    'Instant from which it is tried again: 15 minutes after the first try, twice as long after each further one, a day at most. By polls where it is wanted, else by a backfill alone.';
comment on column smartassist_sync.gaps.wanted is
    'Whether it lies in what is loaded by itself, from accounts.start_from on. Only such a gap holds the watermark and troubles the account; another was found by a backfill of the past, or has become too old.';
