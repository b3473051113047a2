-- What of an account's books cannot be true, in words; NULL where they may be. $2: also the ledger is asked, which takes a moment.
select
    case
        when upper(coverage) > clock_timestamp() + interval '2 hours'
            then format('coverage reaches to %s, which is in the future', upper(coverage) at time zone 'UTC')
        when watermark > smartassist_sync.watermark_of(coverage, start_from)
            then format(
                'the watermark is %s, but nothing is covered beyond %s',
                watermark at time zone 'UTC', smartassist_sync.watermark_of(coverage, start_from) at time zone 'UTC'
            )
        when $2 and not coverage <@ coalesce(
            (
                select range_agg(fetched.range)
                from smartassist_sync.windows as fetched
                where fetched.account_id = $1 and fetched.status = 'drained'
            ),
            '{}'
        )
            then 'coverage holds stretches that no window of the ledger has drained'
    end
from smartassist_sync.accounts
where account_id = $1
