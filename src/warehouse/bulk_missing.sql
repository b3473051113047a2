-- What is missing as a whole, what the window in hand noted apart: what was noted in the last day, what is withheld, and what was marked as one of few
-- in the last day, or many could go one by one.
select
    (
        select count(*)
        from smartassist_sync.absences as absence
        where absence.account_id = $1
            and (absence.first_missed_at > $2 - interval '1 day' or absence.withheld_since is not null)
    )
    + (
        select coalesce(sum(fetched.marked), 0)::bigint
        from smartassist_sync.windows as fetched
        where fetched.account_id = $1 and fetched.status = 'drained' and fetched.started_at > $2 - interval '1 day'
    )
