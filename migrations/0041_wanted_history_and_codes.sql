-- 1. From when on interactions are wanted is kept apart from when on they are loaded: start_from follows what the API serves, and goes back to what is
-- wanted once older interactions are served again, also where nobody has configured a start.

alter table smartassist_sync.accounts add column wanted_from timestamptz;

-- Where start_from has followed the API already, what it was is not known any more: it is configured, or was 30 days before the first run.
update smartassist_sync.accounts
set wanted_from = case
    when served_from = start_from then least(start_from, date_trunc('second', created_at) - interval '30 days')
    else start_from
end;

create or replace function smartassist_sync.mend_coverage(mended_account_id text)
returns timestamptz
language sql
set search_path = pg_catalog, pg_temp
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
            account.settled * mended.coverage as settled,
            case
                when account.start_from <= clock_timestamp() then account.start_from
                else coalesce(lower(mended.coverage), date_trunc('second', clock_timestamp()) - interval '30 days')
            end as start_from
        from mended
        join smartassist_sync.accounts as account using (account_id)
    )
    update smartassist_sync.accounts as account
    set coverage = begun.coverage,
        wanted_from = least(account.wanted_from, begun.start_from),
        start_from = begun.start_from,
        watermark = smartassist_sync.watermark_of(begun.coverage, begun.start_from),
        settled = begun.settled,
        settled_through = smartassist_sync.watermark_of(begun.settled, begun.start_from),
        updated_at = clock_timestamp()
    from begun
    where account.account_id = begun.account_id
    returning account.watermark
$$;

comment on column smartassist_sync.accounts.wanted_from is
    'Instant from which interactions are wanted: the configured start_from, or 30 days before the first run where none is configured; later where retention keeps less. NULL until a version that knows it has worked on the account.';
comment on column smartassist_sync.accounts.start_from is
    'Instant from which interactions are loaded: wanted_from, or served_from where that is later.';
comment on column smartassist_sync.accounts.served_from is
    'Instant from which on the API serves interactions, to a minute, as it was found when older windows were refused. NULL where none were. While wanted_from is earlier, one request a day asks for older ones.';

-- 2. Why a window is a gap, as a code, where a problem of the account is judged by it: an alarm does not depend on the words of an error.

alter table smartassist_sync.windows
    add column error_code text,
    add constraint windows_error_code_is_a_word check (error_code ~ '^[a-z_]{1,64}$');

-- Once, of gaps that are open already: these are the words that they have.
update smartassist_sync.windows
set error_code = case
    when starts_with(error, 'elements of the answers have no id') then 'elements_without_id'
    when starts_with(error, 'the API does not keep to the range') then 'records_outside_window'
end
where status = 'gap';

comment on column smartassist_sync.windows.error_code is
    'What was wrong, as the code of the problem that stands while such a gap is open. NULL where no problem is judged by it.';
