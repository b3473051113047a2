-- Marks $3 interactions at most that are withheld. Returns how many were marked and how many notes were taken.
with taken as (
    delete from smartassist_sync.absences as absence
    where absence.account_id = $1 and absence.interaction_id in (
        select withheld.interaction_id
        from smartassist_sync.absences as withheld
        where withheld.account_id = $1 and withheld.withheld_since is not null
        order by withheld.interaction_id
        limit $3
    )
    returning absence.interaction_id, absence.first_missed_at
),
marked as (
    update smartassist.sessions as session
    set missing_since = taken.first_missed_at, last_changed_at = $2
    from taken
    where session.account_id = $1 and session.interaction_id = taken.interaction_id and session.missing_since is null
    returning session.interaction_id
)
select (select count(*) from marked), (select count(*) from taken)
