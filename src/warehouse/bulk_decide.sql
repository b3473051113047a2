-- Decides on what two windows have missed; returns what is to be marked. $2: now, $3: whether it is bulk. An
-- operator confirmed what was first missed until $4, time what was withheld until $5. One of few is marked if
-- the source has returned records since ($6).
with decided as (
    select
        absence.interaction_key,
        absence.first_missed_at,
        case
            when absence.first_missed_at <= $4 or absence.withheld_since <= $5 then 'confirmed'
            when absence.withheld_since is not null or $3 then 'withheld'
            when absence.first_missed_at <= $6 then 'marked'
        end as decision
    from smartassist_sync.absences as absence
    where absence.account_id = $1 and absence.proven_at is not null and absence.marked_at is null
),
noted as (
    update smartassist_sync.absences as absence
    set withheld_since = case when decided.decision = 'withheld' then $2 end,
        marked_at = case when decided.decision = 'marked' then $2 end
    from decided
    where absence.interaction_key = decided.interaction_key
        and (decided.decision = 'marked' or decided.decision = 'withheld' and absence.withheld_since is null)
),
-- Confirmed ones no longer count; marked ones count for a day.
forgotten as (
    delete from smartassist_sync.absences as absence
    where absence.account_id = $1 and (
        absence.marked_at <= $2 - interval '1 day'
        or absence.interaction_key in (select confirmed.interaction_key from decided as confirmed where confirmed.decision = 'confirmed')
    )
)
select decided.interaction_key, decided.first_missed_at
from decided
where decided.decision in ('marked', 'confirmed')
