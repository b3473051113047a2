-- Open wanted gaps whose last try had this code ($2).
select count(*)
from smartassist_sync.gaps as gap
cross join lateral (
    select fetched.error_code
    from smartassist_sync.windows as fetched
    where
        fetched.account_id = gap.account_id and fetched.range = gap.range
        and fetched.status = 'gap'
    order by fetched.finished_at desc, fetched.id desc
    limit 1
) as newest
where gap.account_id = $1 and gap.wanted and newest.error_code = $2
