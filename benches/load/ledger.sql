select
    runs.*,
    windows.*
from (
    select
        coalesce(sum(requests), 0)::bigint as requests,
        coalesce(sum(inserted), 0)::bigint as inserted,
        coalesce(sum(rejected), 0)::bigint as rejected,
        (array_agg(error order by id desc) filter (where error is not null))[1] as error
    from smartassist_sync.runs
) as runs
cross join (
    select
        count(*) filter (where status = 'drained') as drained,
        count(*) filter (where status = 'split') as split,
        count(*) filter (where status in ('failed', 'gap')) as failed
    from smartassist_sync.windows
) as windows
