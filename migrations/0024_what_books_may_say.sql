-- What the books may say, in one place each: the check before every run and the way back asked for it apart, by two different tolerances.

create function smartassist_sync.clock_tolerance()
returns interval
language sql
immutable
parallel safe
as $$
    select interval '1 hour'
$$;

create function smartassist_sync.drained(drained_account_id text)
returns tstzmultirange
language sql
stable
as $$
    select coalesce(range_agg(fetched.range), '{}')
    from smartassist_sync.windows as fetched
    where fetched.account_id = drained_account_id and fetched.status = 'drained'
$$;

create or replace function smartassist_sync.mend_coverage(mended_account_id text)
returns timestamptz
language sql
as $$
    with mended as (
        select
            account.account_id,
            account.coverage
            * tstzmultirange(tstzrange(null, clock_timestamp() - smartassist_sync.clock_tolerance()))
            * smartassist_sync.drained(account.account_id) as coverage
        from smartassist_sync.accounts as account
        where account.account_id = mended_account_id
    ),
    begun as (
        select
            mended.account_id,
            mended.coverage,
            case
                when account.start_from <= clock_timestamp() then account.start_from
                else coalesce(lower(mended.coverage), clock_timestamp() - interval '30 days')
            end as start_from
        from mended
        join smartassist_sync.accounts as account using (account_id)
    )
    update smartassist_sync.accounts as account
    set coverage = begun.coverage,
        start_from = begun.start_from,
        watermark = smartassist_sync.watermark_of(begun.coverage, begun.start_from),
        updated_at = clock_timestamp()
    from begun
    where account.account_id = begun.account_id
    returning account.watermark
$$;

comment on function smartassist_sync.clock_tolerance() is
'By how much the clocks of this server, of the API and of whoever loads may differ before the books count as wrong.';
comment on function smartassist_sync.drained(text) is
'All that windows of the ledger have drained.';
comment on function smartassist_sync.mend_coverage(text) is
'Takes out of an account''s coverage what cannot be true: what lies in the future or less than clock_tolerance() ago, and what no drained window of the ledger holds. A start in the future becomes that of the coverage, or 30 days ago. Sets the watermark to match, and returns it. What is not covered then is read again.';
