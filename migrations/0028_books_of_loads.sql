-- What was only compared is stored nowhere, so it proves no coverage; and books that are mended end with a whole second, as all windows do.

create or replace function smartassist_sync.drained(drained_account_id text)
returns tstzmultirange
language sql
stable
as $$
    select coalesce(range_agg(fetched.range), '{}')
    from smartassist_sync.windows as fetched
    where fetched.account_id = drained_account_id and fetched.status = 'drained' and fetched.purpose <> 'verify'
$$;

create or replace function smartassist_sync.mend_coverage(mended_account_id text)
returns timestamptz
language sql
as $$
    with mended as (
        select
            account.account_id,
            account.coverage
            * tstzmultirange(tstzrange(null, date_trunc('second', clock_timestamp() - smartassist_sync.clock_tolerance())))
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
                else coalesce(lower(mended.coverage), date_trunc('second', clock_timestamp()) - interval '30 days')
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

comment on function smartassist_sync.drained(text) is
'All that windows of the ledger have drained, those that were only compared apart.';
