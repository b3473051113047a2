-- The twenty questions, reckoned from independent.* and the rows.

-- Q01
select (day_start + half * interval '30 minutes')::timestamp as half_hour, coalesce(entered_at, session_started_at) - (local - (day_start + half * interval '30 minutes')) as instant, label, count(*)::bigint, count(*) filter (where outcome = 'answered' and wait_seconds <= 20),
       round(100.0 * count(*) filter (where outcome = 'answered' and wait_seconds <= 20) / count(*), 1)
from (select v.*, q.label, local, local::date::timestamp as day_start, floor(extract(epoch from local - local::date) / 1800)::integer as half
      from independent.visits as v join names.queues as q using (queue_key)
      cross join lateral (select coalesce(v.entered_at, v.session_started_at) at time zone (select time_zone from smartassist.reporting) as local) as l) as v
where local::date >= current_date - 30 group by 1, 2, 3 order by 1, 2, 3

-- Q02
select entered_on, label, count(*) filter (where outcome = 'answered'), round(avg(wait_seconds) filter (where outcome = 'answered'), 1),
       percentile_disc(0.5) within group (order by case when outcome = 'answered' then wait_seconds end),
       percentile_disc(0.9) within group (order by case when outcome = 'answered' then wait_seconds end)
from independent.visits join names.queues using (queue_key) where entered_on >= current_date - 30 group by 1, 2 order by 1, 2

-- Q03
select coalesce(label, '(direct)'), channel, count(handle_seconds), round(avg(handle_seconds), 1),
       round(sum(after_call_work_seconds)::numeric / nullif(count(*) filter (where outcome = 'answered'), 0), 1), round(avg(nullif(after_call_work_seconds, 0)), 1)
from independent.offers left join names.queues using (queue_key) where accepted_on >= current_date - 30 group by 1, 2 order by 1, 2

-- Q04
select label, round(100.0 * a / count, 2), round(100.0 * a / nullif(closed, 0), 2), round(100.0 * long / nullif(answered + long, 0), 2)
from (select label, count(*) as count, count(*) filter (where outcome = 'abandoned') as a, count(*) filter (where outcome <> 'waiting') as closed,
             count(*) filter (where outcome = 'answered') as answered, count(*) filter (where outcome = 'abandoned' and (wait_seconds <= 5) is not true) as long
      from independent.visits join names.queues using (queue_key) where entered_on >= current_date - 30 group by 1) as counted order by 1

-- Q05
select label, count(*) filter (where outcome = 'abandoned'), count(*) filter (where outcome = 'abandoned' and wait_seconds <= 5),
       percentile_disc(0.5) within group (order by case when outcome = 'abandoned' then wait_seconds end)
from independent.visits join names.queues using (queue_key) where entered_on >= current_date - 30 group by 1 order by 1

-- Q06
select a.label, b.label, count(*), sum(v.transferred_out), count(*) filter (where v.outcome = 'flowed_out')
from independent.visits as v join names.queues as a on a.queue_key = v.queue_key
join names.queues as b on b.queue_key = v.next_queue_key where v.entered_on >= current_date - 30 group by 1, 2 order by 1, 2

-- Q07
select coalesce(label, '(direct)'), count(*) filter (where outcome = 'answered'), sum(made), sum(merged), sum(seconds)
from independent.offers as o left join names.queues using (queue_key)
left join lateral (select count(*) as made, count(*) filter (where is_merged) as merged, sum(extract(epoch from ended_at - accepted_at)::bigint) as seconds
    from smartassist.consultations as c where (c.interaction_key, c.destination_index, c.segment_index) = (o.interaction_key, o.destination_index, o.segment_index)) as c on true
where assigned_on >= current_date - 30 group by 1 order by 1

-- Q08
select channel, count(*), count(*) filter (where outcome like 'contained%'), count(*) filter (where outcome = 'contained_resolved'),
       round(100.0 * count(*) filter (where outcome like 'contained%') / nullif(count(*) filter (where outcome <> 'open'), 0), 1)
from independent.interactions where conversations = 1 and started_on >= current_date - 30 and direction <> 'Outbound' group by 1 order by 1

-- Q09
select channel, count(*) filter (where is_judged), count(*) filter (where is_judged and not back), round(100.0 * count(*) filter (where is_judged and not back) / nullif(count(*) filter (where is_judged), 0), 1)
from (select *, coalesce(contact_ended_at <= timestamptz '2025-12-31Z' - interval '7 days', false) as is_judged, coalesce(next_at - contact_ended_at <= interval '7 days', false) as back
      from independent.contacts) as c
where started_on >= current_date - 30 group by 1 order by 1

-- Q10
select label, count(*), count(*) filter (where outcome = 'answered'), count(*) filter (where outcome = 'missed'), count(*) filter (where outcome = 'taken_away'),
       count(*) filter (where transferred_out = 1), round(avg(handle_seconds), 1), round(avg(csat_score), 2)
from independent.offers join names.agents using (agent_key) where assigned_on >= current_date - 30 group by 1 order by 1

-- Q11
select label, sum(callback_opted), sum(callback_connected), round(avg(callback_seconds), 1)
from independent.visits join names.queues using (queue_key) where entered_on >= current_date - 30 and callback_opted = 1 group by 1 order by 1

-- Q12
select at, label, channel, sum(extract(epoch from upper(part) - lower(part)))::bigint, round(sum(extract(epoch from upper(part) - lower(part)))::float8 / 1800 * 1000) / 1000, count(distinct agent_key)
from (select at, coalesce(q.label, '(direct)') as label, channel, agent_key, tstzrange(accepted_at, work_ended_at) * tstzrange(at, at + interval '30 minutes') as part
      from generate_series((current_date - 30)::timestamptz, current_date::timestamptz - interval '30 minutes', interval '30 minutes') as at
      join independent.offers as o on o.outcome = 'answered' and o.work_ended_at > o.accepted_at and tstzrange(accepted_at, work_ended_at) && tstzrange(at, at + interval '30 minutes')
      left join names.queues as q on q.queue_key = o.queue_key) as parts
group by 1, 2, 3 order by 1, 2, 3

-- Q13
select d.name, count(*), count(*) filter (where d.name = i.first and d.place = i.first_place)
from (select i.*, (array_remove(i.dispositions, null))[1] as first, array_position(i.dispositions, (array_remove(i.dispositions, null))[1]) as first_place
      from independent.interactions as i) as i, unnest(i.dispositions) with ordinality as d (name, place)
where i.started_on >= current_date - 30 and d.name is not null and i.conversations = 1 group by 1 order by 2 desc, 1

-- Q14
select coalesce(last_intent_name, '(none)'), count(*), count(*) filter (where destination_count > 0)
from independent.interactions where conversations = 1 and started_on >= current_date - 30 group by 1 order by 1

-- Q15
select coalesce(label, '(direct)'), count(csat_score), round(avg(csat_score), 2), count(nps_score),
       round(100.0 * sum(case when nps_score >= 9 then 1 when nps_score <= 6 then -1 when nps_score is not null then 0 end) / nullif(count(nps_score), 0), 1),
       round(100.0 * count(*) filter (where csat_score is not null or nps_score is not null) / nullif(count(*) filter (where outcome = 'answered'), 0), 1)
from independent.offers left join names.queues using (queue_key) where assigned_on >= current_date - 30 group by 1 order by 1

-- Q16
select at, count(v.interaction_key), coalesce(max(extract(epoch from at - v.entered_at)::bigint), 0)
from generate_series((current_date - 30)::timestamptz, current_date::timestamptz - interval '1 hour', interval '1 hour') as at
left join independent.visits as v on v.entered_at <= at and (v.left_at > at or (v.left_at is null and v.outcome = 'waiting' and v.session_started_at > at - interval '3 days'))
group by 1 order by 1

-- Q17
select extract(isodow from local)::integer, extract(hour from local)::integer, count(distinct coalesce(conversation_id, interaction_key::text))
from (select *, session_started_at at time zone (select time_zone from smartassist.reporting) as local from independent.interactions where conversations = 1) as i
where local::date >= current_date - 28 and local::date < current_date group by 1, 2 order by 1, 2

-- Q18
select 'main', timestamptz '2025-12-31Z', timestamptz '2025-12-31Z', null::timestamptz, 0::bigint, 0::bigint, (select count(*) from smartassist.sessions where session_ended_at is null and missing_since is null and not is_shadow)

-- Q19
select month::date, nullif(count(v.outcome), 0), nullif(count(*) filter (where outcome is not null), 0) - count(*) filter (where outcome <> 'answered'),
       case when count(v.outcome) > 0 then count(*) filter (where outcome = 'abandoned') end,
       round(100.0 * count(*) filter (where outcome = 'answered' and wait_seconds <= 20) / nullif(count(v.outcome), 0), 1), round(avg(wait_seconds) filter (where outcome = 'answered'), 1)
from generate_series(date_trunc('month', current_date) - interval '12 months', current_date, interval '1 month') as month
left join independent.visits as v on date_trunc('month', v.entered_on) = month and v.entered_on < current_date group by 1 order by 1

-- Q20
select tags ->> 'topic', count(*), count(*) filter (where outcome = 'answered')
from independent.interactions
where started_on >= current_date - 30 and conversations = 1 and tags ? 'topic'
group by 1 order by 1
