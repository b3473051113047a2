-- Books that cannot be true (edited by hand, or written under a clock that was wrong) are refused before anything is read by them. This is the way back.

create function smartassist_sync.mend_coverage(mended_account_id text)
returns timestamptz
language sql
as $$
    with mended as (
        select
            account.account_id,
            account.coverage
            * tstzmultirange(tstzrange(null, clock_timestamp() - interval '5 minutes'))
            * coalesce(
                (
                    select range_agg(fetched.range)
                    from smartassist_sync.windows as fetched
                    where fetched.account_id = account.account_id and fetched.status = 'drained'
                ),
                '{}'
            ) as coverage
        from smartassist_sync.accounts as account
        where account.account_id = mended_account_id
    )
    update smartassist_sync.accounts as account
    set coverage = mended.coverage,
        watermark = smartassist_sync.watermark_of(mended.coverage, account.start_from),
        updated_at = clock_timestamp()
    from mended
    where account.account_id = mended.account_id
    returning account.watermark
$$;

comment on function smartassist_sync.mend_coverage(text) is
'Takes out of an account''s coverage what cannot be true: what lies in the future, and what no drained window of the ledger holds. Sets the watermark to match, and returns it. What is not covered then is read again.';
