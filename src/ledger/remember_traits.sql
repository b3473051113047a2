-- $4: what is known of the API now. A window whose proof it contradicts is no longer drained or covered:
-- pages of that many records are full, an empty page was not served, or numResults is no total.
, before as (
    select account.account_id, account.api_traits as traits, $4::jsonb as now
    from smartassist_sync.accounts as account
    join fence on fence.account_id = account.account_id
),
contradicted as (
    select
        account_id,
        case when traits -> 'page_size' is distinct from now -> 'page_size' then (now ->> 'page_size')::bigint end as page_size,
        case when traits -> 'refused_page' is distinct from now -> 'refused_page' then (now ->> 'refused_page')::bigint end as refused_page,
        traits -> 'num_results' is distinct from now -> 'num_results' and now ->> 'num_results' in ('page', 'other') as is_no_total
    from before
),
withdrawn as (
    update smartassist_sync.windows as fetched
    set
        status = 'split',
        error_code = 'belief_contradicted',
        error = 'what it was drained by was contradicted later'
    from contradicted
    where fetched.account_id = contradicted.account_id and fetched.status = 'drained'
        and (contradicted.page_size is not null or contradicted.refused_page is not null or contradicted.is_no_total)
        and case fetched.proof
            when 'short_page' then
                fetched.distinct_records = contradicted.page_size
                and contradicted.page_size < coalesce((fetched.profile ->> 'page_size')::bigint, 100)
            when 'empty_page' then
                fetched.distinct_records > 0
                and fetched.distinct_records >= contradicted.refused_page * coalesce((fetched.profile ->> 'page_size')::bigint, 100)
            when 'total' then contradicted.is_no_total
            else false
        end
    returning fetched.range
),
left_over as (
    select coalesce(range_agg(range), '{}') as ranges, count(*) as windows from withdrawn
)
update smartassist_sync.accounts as account
set api_traits = before.now,
    coverage = account.coverage - left_over.ranges,
    coverage_pruned = account.coverage_pruned - left_over.ranges,
    watermark = smartassist_sync.watermark_of(account.coverage - left_over.ranges, account.start_from),
    settled = account.settled - left_over.ranges,
    settled_through = smartassist_sync.watermark_of(account.settled - left_over.ranges, account.start_from),
    updated_at = clock_timestamp()
from before
cross join left_over
where account.account_id = before.account_id
returning
    left_over.windows as withdrawn,
    account.watermark,
    -- The head reaches back to start_from only.
    coalesce(
        (
            select jsonb_agg(jsonb_build_object('start', lower(stretch), 'end', upper(stretch)) order by stretch)
            from unnest(left_over.ranges * tstzmultirange(tstzrange(null, account.start_from))) as stretch
        ),
        '[]'
    ) as older
