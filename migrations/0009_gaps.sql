-- Gaps: stretches so dense that the API does not show all of their records. They stay uncovered and are tried again, ever more seldom, so that a
-- second that can never be drained does not cost requests for ever. Derived from the ledger: there is no second book that could disagree with it.

-- "Which gaps are open?" (asked at every poll; a few rows among all windows that ever were)
create index windows_by_account_gap on smartassist_sync.windows (account_id) where status = 'gap';

create view smartassist_sync.gaps as
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

comment on index smartassist_sync.windows_by_account_gap is
    'Serves: which gaps are open.';
comment on view smartassist_sync.gaps is
    'Open gaps: stretches of which the API shows not all records, even in the smallest part, and which are not covered since. What was reachable is stored. Gaps read with earlier filters are not listed.';
comment on column smartassist_sync.gaps.account_id is
    'The SmartAssist account.';
comment on column smartassist_sync.gaps.range is
    'The stretch of time, half-open.';
comment on column smartassist_sync.gaps.times_tried is
    'How often it was fetched in vain.';
comment on column smartassist_sync.gaps.first_tried_at is
    'Instant at which it was first found to be a gap.';
comment on column smartassist_sync.gaps.last_tried_at is
    'Instant at which it was last fetched in vain.';
comment on column smartassist_sync.gaps.next_try_at is
    'Instant from which it is wanted again: 15 minutes after the first try, twice as long after each further one, a day at most.';
comment on column smartassist_sync.gaps.error is
    'What was wrong at the last try, without personal data.';
