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
),
open as (
    update smartassist_sync.requests as request
    set remaining = request.remaining + request.range * left_over.ranges
    from before
    cross join left_over
    where request.account_id = before.account_id and request.state = 'open' and request.purpose <> 'verify'
),
-- The head reaches back to start_from only.
older as (
    insert into smartassist_sync.requests (account_id, purpose, range, remaining, since, rules, filters_digest, requested_by)
    select
        account.account_id, 'backfill', stretches.older, stretches.older, '-infinity', $5,
        sha256(convert_to(account.filters::text, 'UTF8')), $2
    from before
    join smartassist_sync.accounts as account on account.account_id = before.account_id
    cross join left_over
    cross join lateral (
        select left_over.ranges * tstzmultirange(tstzrange(null, account.start_from)) as older
    ) as stretches
    where not isempty(stretches.older)
)
update smartassist_sync.accounts as account
set api_traits = before.now,
    coverage = account.coverage - left_over.ranges,
    coverage_pruned = account.coverage_pruned - left_over.ranges,
    settled = account.settled - left_over.ranges,
    updated_at = clock_timestamp()
from before
cross join left_over
where account.account_id = before.account_id
returning left_over.windows as withdrawn, account.watermark
