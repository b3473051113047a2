-- Which contact of the same customer comes next: for those that came, went or moved ($2 and $3), and the one before each.
with touched as (
    select given.contact_key, min(given.since) as since
    from unnest($2::uuid[], $3::timestamptz[]) as given (contact_key, since)
    group by given.contact_key
),
ordered as (
    select
        contact.interaction_key,
        lead(contact.session_started_at) over following as next_at,
        lead(contact.channel) over following as next_channel
    from touched
    cross join lateral (
        select coalesce(max(before.session_started_at), touched.since) as since
        from smartassist.fact_contacts as before
        where before.contact_key = touched.contact_key and before.account_id = $1 and before.session_started_at < touched.since
    ) as earlier
    join smartassist.fact_contacts as contact
        on contact.contact_key = touched.contact_key and contact.account_id = $1 and contact.session_started_at >= earlier.since
    window following as (partition by contact.contact_key order by contact.session_started_at, contact.interaction_key)
)
update smartassist.fact_contacts as contact
set next_at = ordered.next_at, next_channel = ordered.next_channel
from ordered
where contact.interaction_key = ordered.interaction_key
    and (contact.next_at, contact.next_channel) is distinct from (ordered.next_at, ordered.next_channel)
