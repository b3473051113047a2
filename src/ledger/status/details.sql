select
    account.account_id,
    coalesce(
        (
            select jsonb_agg(jsonb_build_object('start', lower(stretch), 'end', upper(stretch)) order by stretch)
            from unnest(account.coverage) as stretch
        ),
        '[]'
    ) as coverage,
    coalesce(
        (
            select jsonb_agg(
                jsonb_build_object(
                    'start', lower(gap.range), 'end', upper(gap.range), 'times_tried', gap.times_tried,
                    'next_try_at', gap.next_try_at, 'error', gap.error, 'wanted', gap.wanted
                )
                order by gap.range
            )
            from smartassist_sync.gaps as gap
            where gap.account_id = account.account_id
        ),
        '[]'
    ) as gaps,
    coalesce(
        (
            select jsonb_agg(jsonb_build_object('day', counted.day, 'interactions', counted.interactions) order by counted.day)
            from smartassist_sync.interactions_by_day as counted
            where counted.account_id = account.account_id and counted.day >= $2
        ),
        '[]'
    ) as days,
    coalesce(
        (
            select jsonb_agg(to_jsonb(waiting) order by waiting.records desc, waiting.reason)
            from (
                select rejected.reason, count(*) as records, max(rejected.last_seen_at) as last_seen_at
                from smartassist_sync.rejected_records as rejected
                where rejected.account_id = account.account_id and rejected.resolved_at is null
                group by rejected.reason
            ) as waiting
        ),
        '[]'
    ) as rejected
from smartassist_sync.accounts as account
where account.account_id = any($1)
