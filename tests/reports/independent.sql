-- Facts, reckoned from the rows by other means than the loader's: in SQL, over whole tables, with the time zones of PostgreSQL.
create schema independent;

create function independent.shown(given text) returns text language sql immutable as $$
    select case when given ~ '@|\d(\W*\d){6}' then '(withheld)' else given end
$$;

create function independent.is_answered(response text, accepted_at timestamptz, first_responded_at timestamptz)
returns boolean
language sql
immutable
parallel safe
return response = 'responding' or (response = 'direct' and (accepted_at is not null or first_responded_at is not null));

create function independent.says_abandoned(smart_status text, final_status text)
returns boolean
language sql
immutable
parallel safe
return coalesce(smart_status ~* 'abandon', false) or coalesce(final_status ~* 'abandon', false);

create function independent.ended_unanswered_as(
    is_voicemail boolean, callback_opted boolean, smart_status text, final_status text, reason text, disconnecting_event text
)
returns text
language sql
immutable
parallel safe
return case
        when is_voicemail then 'voicemail'
        when callback_opted then 'callback_open'
        when independent.says_abandoned(smart_status, final_status) or disconnecting_event ~* '^(user|customer)' then 'abandoned'
        when smart_status ~* 'terminat' or final_status ~* 'terminat' or reason ~* 'drop.?off|no agents' or disconnecting_event ~* '^(system|bot)'
            then 'terminated'
        else 'other'
    end;

comment on function independent.ended_unanswered_as(boolean, boolean, text, text, text, text) is
    'How a session ended that waited in a queue and was not answered. No single column of the API tells; the lists are open, hence patterns.';

create function independent.dimension_key(id text, name text)
returns text
language sql
immutable
parallel safe
return coalesce(id, left(name, 500), '(unknown)');

create function independent.label(value text)
returns text
language sql
immutable
parallel safe
return coalesce(initcap(value), '(unknown)');

create function independent.seconds_between(from_at timestamptz, to_at timestamptz)
returns bigint
language sql
immutable
parallel safe
return case when to_at >= from_at then ceil(extract(epoch from to_at - from_at))::bigint end;

create function independent.quarter_of(at timestamp)
returns timestamp
language sql
immutable
parallel safe
return date_bin('15 minutes', at, timestamp '2000-01-01');

create view independent.derived_queue_visits as
select
    s.interaction_key,
    visit.destination_index,
    s.account_id,
    independent.quarter_of(at.attributed_at at time zone at.zone) as entered_quarter_local,
    (at.attributed_at at time zone at.zone)::date as entered_on,
    independent.quarter_of(at.attributed_at at time zone 'UTC') at time zone 'UTC' as entered_quarter,
    visit.entered_at,
    s.session_started_at,
    s.conversation_id,
    independent.label(s.channel) as channel,
    independent.label(s.direction) as direction,
    s.campaign_name,
    s.last_intent_name,
    visit.visit_number,
    visit.queue_key,
    visit.previous_queue_key,
    visit.next_queue_key,
    case
        when visit.is_answered then 'answered'
        when visit.next_queue_key is not null then 'flowed_out'
        when s.session_ended_at is null then 'waiting'
        when visit.has_direct then 'transferred_unanswered'
        else independent.ended_unanswered_as(
            s.is_voicemail, visit.callback_opted, s.smart_status, s.final_status, s.reason, s.disconnecting_event
        )
    end as outcome,
    visit.answered_at,
    ended.left_at,
    independent.seconds_between(visit.entered_at, case when visit.is_answered then visit.answered_at else ended.left_at end) as wait_seconds,
    visit.agent_key,
    (visit.answered_index < visit.last_index and visit.is_answered)::integer as transferred_out,
    coalesce(visit.callback_opted, false)::integer as callback_opted,
    coalesce(visit.callback_opted and visit.answered_at >= visit.callback_opted_at, false)::integer as callback_connected,
    case when visit.callback_opted then independent.seconds_between(visit.entered_at, visit.callback_opted_at) end as callback_asked_seconds,
    independent.seconds_between(visit.callback_opted_at, visit.callback_accepted_at) as callback_seconds
from smartassist.sessions as s
left join smartassist.reporting as r on r.account_id = s.account_id
cross join lateral (
    select
        of_queue.*,
        lag(of_queue.queue_key) over in_order as previous_queue_key,
        lead(of_queue.queue_key) over in_order as next_queue_key,
        lead(of_queue.entered_at) over in_order as next_entered_at
    from (
        -- A queue, and the agents to whom it was given directly from there.
        select
            step.visit_number,
            min(step.destination_index) filter (where step.is_queue) as destination_index,
            min(step.queue_key) filter (where step.is_queue) as queue_key,
            min(step.entered_at) filter (where step.is_queue) as entered_at,
            bool_or(step.callback_opted) filter (where step.is_queue) as callback_opted,
            min(step.callback_opted_at) filter (where step.is_queue) as callback_opted_at,
            min(step.callback_accepted_at) filter (where step.is_queue) as callback_accepted_at,
            coalesce(bool_or(step.is_answered), false) as is_answered,
            (array_agg(step.accepted_at order by step.destination_index) filter (where step.is_answered))[1] as answered_at,
            (array_agg(step.offered_at order by step.destination_index) filter (where step.is_answered))[1] as offered_at,
            (array_agg(step.agent_key order by step.destination_index) filter (where step.is_answered))[1] as agent_key,
            min(step.destination_index) filter (where step.is_answered) as answered_index,
            bool_or(not step.is_queue) as has_direct,
            min(step.assigned_at) filter (where not step.is_queue) as direct_assigned_at,
            max(step.last_index) as last_index
        from (
            select
                d.destination_index,
                independent.dimension_key(d.queue_id, d.queue_name) collate "C" as queue_key,
                d.entered_at,
                d.callback_opted,
                d.callback_opted_at,
                d.callback_accepted_at,
                kind.is_queue,
                offered.is_answered,
                offered.accepted_at,
                offered.offered_at,
                offered.agent_key,
                offered.assigned_at,
                count(*) filter (where kind.is_queue) over (order by d.destination_index)::integer as visit_number,
                max(d.destination_index) over () as last_index
            from smartassist.destinations as d
            cross join lateral (
                select d.queue_id is not null or d.queue_name is not null or lower(d.destination_type) is not distinct from 'queueentry' as is_queue
            ) as kind
            left join lateral (
                select
                    bool_or(answer.is_answered) as is_answered,
                    (array_agg(a.accepted_at order by a.segment_index) filter (where answer.is_answered))[1] as accepted_at,
                    (array_agg(a.assigned_at order by a.segment_index) filter (where answer.is_answered))[1] as offered_at,
                    (array_agg(independent.dimension_key(a.agent_id, a.agent_name) collate "C" order by a.segment_index) filter (where answer.is_answered))[1]
                        as agent_key,
                    min(a.assigned_at) as assigned_at
                from smartassist.agent_segments as a
                cross join lateral (select independent.is_answered(a.response, a.accepted_at, a.first_responded_at) as is_answered) as answer
                where a.interaction_key = d.interaction_key and a.destination_index = d.destination_index
            ) as offered on true
            where d.interaction_key = s.interaction_key
        ) as step
        where step.visit_number > 0
        group by step.visit_number
    ) as of_queue
    window in_order as (order by of_queue.visit_number)
) as visit
cross join lateral (
    select case
        when visit.is_answered then coalesce(visit.answered_at, visit.offered_at, visit.next_entered_at, s.session_ended_at)
        when visit.next_queue_key is null and s.session_ended_at is null then null
        when visit.next_queue_key is null and not visit.has_direct and visit.callback_opted and s.is_voicemail is not true
            then coalesce(visit.callback_opted_at, s.session_ended_at)
        else coalesce(visit.next_entered_at, visit.direct_assigned_at, s.session_ended_at)
    end as left_at
) as ended
cross join lateral (
    select coalesce(visit.entered_at, s.session_started_at) as attributed_at, coalesce(r.time_zone, 'UTC') as zone
) as at
where s.missing_since is null and not s.is_shadow;

create view independent.derived_agent_offers as
select
    s.interaction_key,
    a.destination_index,
    a.segment_index,
    s.account_id,
    independent.quarter_of(at.attributed_at at time zone at.zone) as assigned_quarter_local,
    (at.attributed_at at time zone at.zone)::date as assigned_on,
    independent.quarter_of(at.attributed_at at time zone 'UTC') at time zone 'UTC' as assigned_quarter,
    independent.quarter_of(at.handled_at at time zone at.zone) as accepted_quarter_local,
    (at.handled_at at time zone at.zone)::date as accepted_on,
    independent.quarter_of(at.handled_at at time zone 'UTC') at time zone 'UTC' as accepted_quarter,
    a.assigned_at,
    a.accepted_at,
    case when a.is_answered then greatest(a.interaction_ended_at, a.after_call_work_ended_at) end as work_ended_at,
    s.session_started_at,
    s.conversation_id,
    independent.label(s.channel) as channel,
    independent.label(s.direction) as direction,
    case when a.is_queue then a.queue_key end as queue_key,
    (
        select independent.dimension_key(q.queue_id, q.queue_name) collate "C"
        from smartassist.destinations as q
        where q.interaction_key = s.interaction_key and q.destination_index <= a.destination_index
            and (q.queue_id is not null or q.queue_name is not null or lower(q.destination_type) is not distinct from 'queueentry')
        order by q.destination_index desc
        limit 1
    ) as visit_queue_key,
    a.agent_key,
    case
        when a.is_answered then 'answered'
        when a.non_response_event !~* '^ignor' then 'taken_away'
        when a.non_response_event is null and s.session_ended_at is null then 'ringing'
        else 'missed'
    end as outcome,
    a.non_response_event,
    (a.is_answered and a.destination_index < a.last_index)::integer as transferred_out,
    consulted.times as consultations,
    consulted.merged as consultations_merged,
    consulted.seconds as consult_seconds,
    case when a.is_answered then independent.seconds_between(a.assigned_at, a.accepted_at) end as pickup_seconds,
    case when a.is_answered then a.first_response_seconds end as first_response_seconds,
    case when a.is_answered then a.interaction_seconds end as interaction_seconds,
    case when a.is_answered then a.hold_seconds end as hold_seconds,
    case when a.is_answered then a.after_call_work_seconds end as after_call_work_seconds,
    case
        when a.is_answered and not a.is_after_call_work_unreadable then a.interaction_seconds::bigint + coalesce(a.after_call_work_seconds, 0)
    end as handle_seconds,
    case when a.is_answered and a.from_last = 1 then s.csat_score end as csat_score,
    case when a.is_answered and a.from_last = 1 then s.nps_score end as nps_score
from smartassist.sessions as s
left join smartassist.reporting as r on r.account_id = s.account_id
cross join lateral (
    select
        segment.*,
        answer.is_answered,
        independent.dimension_key(segment.agent_id, segment.agent_name) collate "C" as agent_key,
        d.entered_at,
        d.queue_id is not null or d.queue_name is not null or lower(d.destination_type) is not distinct from 'queueentry' as is_queue,
        independent.dimension_key(d.queue_id, d.queue_name) collate "C" as queue_key,
        segment.after_call_work_seconds is null and coalesce(segment.extra ? 'afterCallWorkDuration', false) as is_after_call_work_unreadable,
        row_number() over (partition by answer.is_answered order by segment.destination_index desc, segment.segment_index desc) as from_last,
        (select max(last.destination_index) from smartassist.destinations as last where last.interaction_key = s.interaction_key) as last_index
    from smartassist.agent_segments as segment
    join smartassist.destinations as d
        on d.interaction_key = segment.interaction_key and d.destination_index = segment.destination_index
    cross join lateral (
        select independent.is_answered(segment.response, segment.accepted_at, segment.first_responded_at) as is_answered
    ) as answer
    where segment.interaction_key = s.interaction_key
) as a
cross join lateral (
    select
        count(*)::integer as times,
        (count(*) filter (where c.is_merged))::integer as merged,
        sum(independent.seconds_between(c.accepted_at, c.ended_at))::bigint as seconds
    from smartassist.consultations as c
    where c.interaction_key = a.interaction_key and c.destination_index = a.destination_index and c.segment_index = a.segment_index
) as consulted
cross join lateral (
    select
        coalesce(a.assigned_at, a.accepted_at, a.entered_at, s.session_started_at) as attributed_at,
        case
            when a.is_answered then coalesce(a.accepted_at, a.first_responded_at, a.assigned_at, a.entered_at, s.session_started_at)
            else a.accepted_at
        end as handled_at,
        coalesce(r.time_zone, 'UTC') as zone
) as at
where s.missing_since is null and not s.is_shadow;

create view independent.derived_interactions as
select
    s.interaction_key,
    s.account_id,
    independent.quarter_of(s.session_started_at at time zone at.zone) as started_quarter_local,
    (s.session_started_at at time zone at.zone)::date as started_on,
    independent.quarter_of(s.session_started_at at time zone 'UTC') at time zone 'UTC' as started_quarter,
    s.session_started_at,
    s.session_ended_at,
    case when s.session_ended_at is not null then greatest(s.session_ended_at, g.work_ended_at) end as contact_ended_at,
    s.conversation_id,
    independent.label(s.channel) as channel,
    independent.label(s.direction) as direction,
    case
        when s.session_ended_at is null then 'open'
        when d.destination_count = 0 and s.conversation_id is null then
            case when s.final_status is not distinct from 'BotResolved' then 'contained_resolved' else 'contained_other' end
        when d.destination_count = 0 then 'other'
        when g.answered_segment_count = 0 then independent.ended_unanswered_as(
            s.is_voicemail, d.callback_opted, s.smart_status, s.final_status, s.reason, s.disconnecting_event
        )
        when independent.says_abandoned(s.smart_status, s.final_status) then 'abandoned_with_agent'
        else 'answered'
    end as outcome,
    1 as conversations,
    case
        when s.user_id is not null then encode(substr(sha256(
            (select secret from smartassist_sync.contact_key_secret) || convert_to(s.user_id, 'UTF8')
        ), 1, 16), 'hex')::uuid
    end as contact_key,
    s.campaign_name,
    s.last_intent_name,
    (
        select string_agg(distinct skill.name, ', ' order by skill.name)
        from jsonb_array_elements(case when jsonb_typeof(s.skills) = 'array' then s.skills else jsonb_build_array(s.skills) end) as given (value)
        cross join lateral (select coalesce(given.value ->> 'name', case when jsonb_typeof(given.value) = 'string' then given.value #>> '{}' end) as name) as skill
        where s.skills is not null
    ) as skill_names,
    case
        when s.reason in ('NO AGENTS AVAILABLE', 'DROP-OFF', 'Resolved', 'Resolution', 'Requires Supervisor Attention') then s.reason
        when s.reason = any (s.dispositions) then independent.shown(s.reason)
        when s.reason is not null then '(withheld)'
    end as reason,
    array(
        select independent.shown(given.disposition)
        from unnest(s.dispositions) with ordinality as given (disposition, place)
        order by given.place
    ) as dispositions,
    (
        select jsonb_object_agg(
            case when tag.name = any (r.shown_tags) then tag.name else '(withheld)' end,
            case when tag.name = any (r.shown_tags) then independent.shown(tag.value) else '(withheld)' end
        )
        from smartassist.tags as tag
        where tag.interaction_key = s.interaction_key and tag.tag_scope = 'session' and tag.tag_index = (
            select max(same.tag_index) from smartassist.tags as same
            where same.interaction_key = tag.interaction_key and same.tag_scope = 'session' and same.name = tag.name and same.value is not null
        )
    ) as tags,
    d.first_queue_key,
    d.first_queue_entered_at,
    g.first_accepted_at,
    g.first_agent_key,
    g.last_agent_key,
    d.destination_count,
    d.queue_visits,
    g.segment_count,
    g.answered_segment_count,
    g.transfers,
    (select count(*) from smartassist.consultations as c where c.interaction_key = s.interaction_key)::integer as consultations,
    d.callback_opted,
    independent.seconds_between(d.first_queue_entered_at, g.accepted_after_queue_at) as queue_wait_seconds,
    g.interaction_seconds,
    g.hold_seconds,
    g.after_call_work_seconds,
    case
        when not g.is_after_call_work_unreadable then g.interaction_seconds + coalesce(g.after_call_work_seconds, 0)
    end as handle_seconds,
    s.csat_score,
    s.nps_score,
    s.like_dislike_score
from smartassist.sessions as s
left join smartassist.reporting as r on r.account_id = s.account_id
cross join lateral (select coalesce(r.time_zone, 'UTC') as zone) as at
cross join lateral (
    select
        count(*)::integer as destination_count,
        (count(*) filter (where q.is_queue))::integer as queue_visits,
        max(q.destination_index) as last_index,
        bool_or(q.callback_opted) as callback_opted,
        (array_agg(q.queue_key order by q.destination_index) filter (where q.is_queue))[1] as first_queue_key,
        (array_agg(q.entered_at order by q.destination_index) filter (where q.is_queue))[1] as first_queue_entered_at
    from (
        select
            destination_index,
            independent.dimension_key(queue_id, queue_name) collate "C" as queue_key,
            entered_at,
            callback_opted,
            queue_id is not null or queue_name is not null or lower(destination_type) is not distinct from 'queueentry' as is_queue
        from smartassist.destinations
        where interaction_key = s.interaction_key
    ) as q
) as d
cross join lateral (
    select
        count(*)::integer as segment_count,
        (count(*) filter (where a.is_answered))::integer as answered_segment_count,
        (count(distinct a.destination_index) filter (where a.is_answered and a.destination_index < d.last_index))::integer as transfers,
        (array_agg(a.agent_key order by a.destination_index, a.segment_index) filter (where a.is_answered))[1] as first_agent_key,
        (array_agg(a.agent_key order by a.destination_index desc, a.segment_index desc) filter (where a.is_answered))[1] as last_agent_key,
        min(a.accepted_at) filter (where a.is_answered) as first_accepted_at,
        min(a.accepted_at) filter (where a.is_answered and a.accepted_at >= d.first_queue_entered_at) as accepted_after_queue_at,
        max(greatest(a.interaction_ended_at, a.after_call_work_ended_at)) filter (where a.is_answered) as work_ended_at,
        -- A sum with a part that cannot be read is none: never smaller than the truth.
        case
            when not bool_or(a.is_answered and a.interaction_seconds is null) then sum(a.interaction_seconds) filter (where a.is_answered)
        end as interaction_seconds,
        case
            when not bool_or(a.is_answered and a.is_hold_unreadable) then sum(a.hold_seconds) filter (where a.is_answered)
        end as hold_seconds,
        case
            when not bool_or(a.is_answered and a.is_after_call_work_unreadable)
                then sum(a.after_call_work_seconds) filter (where a.is_answered)
        end as after_call_work_seconds,
        coalesce(bool_or(a.is_answered and a.is_after_call_work_unreadable), false) as is_after_call_work_unreadable
    from (
        select
            destination_index,
            segment_index,
            independent.dimension_key(agent_id, agent_name) collate "C" as agent_key,
            accepted_at,
            interaction_ended_at,
            after_call_work_ended_at,
            interaction_seconds,
            hold_seconds,
            after_call_work_seconds,
            hold_seconds is null and coalesce(extra ? 'holdDuration', false) as is_hold_unreadable,
            after_call_work_seconds is null and coalesce(extra ? 'afterCallWorkDuration', false) as is_after_call_work_unreadable,
            independent.is_answered(response, accepted_at, first_responded_at) as is_answered
        from smartassist.agent_segments
        where interaction_key = s.interaction_key
    ) as a
) as g
where s.missing_since is null and not s.is_shadow;

create table independent.interactions as select * from independent.derived_interactions;
create table independent.visits as select * from independent.derived_queue_visits;
create table independent.offers as select * from independent.derived_agent_offers;

-- The records of conversations of several, the last first.
create table independent.siblings as
select interaction_key, row_number() over (
    partition by account_id, conversation_id
    order by exists (select from smartassist.destinations as d where d.interaction_key = counted.interaction_key) desc, session_started_at desc, interaction_key desc
) as place
from (select *, count(*) over (partition by account_id, conversation_id) as records from smartassist.sessions where conversation_id is not null) as counted
where records between 2 and 20 and missing_since is null and not is_shadow;

-- A score is of the first record that has it.
create table independent.scored as
select distinct on (i.account_id, i.conversation_id, score.kind) i.account_id, i.conversation_id, score.kind, score.value, s.place
from independent.interactions as i
join independent.siblings as s using (interaction_key)
cross join lateral (values ('csat', i.csat_score), ('nps', i.nps_score), ('like', i.like_dislike_score)) as score (kind, value)
where score.value is not null
order by i.account_id, i.conversation_id, score.kind, s.place;
create function independent.scored(conversation text, kind text) returns integer language sql as $$
    select value from independent.scored where conversation_id = $1 and scored.kind = $2
$$;
-- The offer of that record, or the same one in the record where it counts.
create table independent.scored_offers as
select o.conversation_id, o.agent_key, o.assigned_at, o.interaction_key, o.destination_index, o.segment_index, g.kind, g.value
from independent.offers as o
join independent.siblings as s using (interaction_key)
join independent.scored as g on (g.conversation_id, g.place) = (o.conversation_id, s.place)
where g.kind = 'csat' and o.csat_score is not null or g.kind = 'nps' and o.nps_score is not null;
create function independent.is_same(scored independent.scored_offers, offer independent.offers) returns boolean language sql as $$
    select scored.conversation_id = offer.conversation_id and (
        (scored.interaction_key, scored.destination_index, scored.segment_index) = (offer.interaction_key, offer.destination_index, offer.segment_index)
        or (scored.agent_key, scored.assigned_at) = (offer.agent_key, offer.assigned_at)
    )
$$;
update independent.offers set csat_score = null, nps_score = null where interaction_key in (select interaction_key from independent.siblings);
update independent.interactions as i
set csat_score = independent.scored(conversation_id, 'csat'), nps_score = independent.scored(conversation_id, 'nps'),
    like_dislike_score = independent.scored(conversation_id, 'like'),
    dispositions = case when array_to_string(dispositions, '') <> '' then dispositions else coalesce((
        select other.dispositions from independent.interactions as other join independent.siblings as s using (interaction_key)
        where other.conversation_id = i.conversation_id and array_to_string(other.dispositions, '') <> '' order by s.place limit 1
    ), dispositions) end,
    tags = coalesce(tags, (
        select other.tags from independent.interactions as other join independent.siblings as s using (interaction_key)
        where other.conversation_id = i.conversation_id and other.tags is not null order by s.place limit 1
    ))
where interaction_key in (select interaction_key from independent.siblings where place = 1);
update independent.interactions
set conversations = 0, queue_wait_seconds = null, interaction_seconds = null, hold_seconds = null, after_call_work_seconds = null, handle_seconds = null,
    csat_score = null, nps_score = null, like_dislike_score = null
where interaction_key in (select interaction_key from independent.siblings where place > 1);
delete from independent.visits as visit using independent.siblings as s, independent.visits as later, independent.siblings as l
where visit.interaction_key = s.interaction_key and later.interaction_key = l.interaction_key and l.place < s.place
    and (later.conversation_id, later.queue_key, later.entered_at) = (visit.conversation_id, visit.queue_key, visit.entered_at);
delete from independent.offers as offer using independent.siblings as s, independent.offers as later, independent.siblings as l
where offer.interaction_key = s.interaction_key and later.interaction_key = l.interaction_key and l.place < s.place
    and (later.conversation_id, later.agent_key, later.assigned_at) = (offer.conversation_id, offer.agent_key, offer.assigned_at);

update independent.offers as o
set csat_score = (select value from independent.scored_offers as g where g.kind = 'csat' and independent.is_same(g, o)),
    nps_score = (select value from independent.scored_offers as g where g.kind = 'nps' and independent.is_same(g, o))
where interaction_key in (select interaction_key from independent.siblings);

-- What the agents of the other records did besides.
update independent.interactions as i
set interaction_seconds = case when work.is_complete then coalesce(i.interaction_seconds, 0) + work.interaction_seconds end,
    handle_seconds = case when work.is_handle_complete then coalesce(i.handle_seconds, 0) + work.handle_seconds end,
    hold_seconds = case when coalesce(i.hold_seconds, work.hold_seconds) is not null then coalesce(i.hold_seconds, 0) + coalesce(work.hold_seconds, 0) end,
    after_call_work_seconds = case
        when coalesce(i.after_call_work_seconds, work.acw) is not null then coalesce(i.after_call_work_seconds, 0) + coalesce(work.acw, 0)
    end
from (
    select
        counting.interaction_key,
        bool_and(o.interaction_seconds is not null) and (bool_and(mine.interaction_seconds is not null) or max(mine.answered_segment_count) = 0) as is_complete,
        bool_and(o.handle_seconds is not null) and (bool_and(mine.handle_seconds is not null) or max(mine.answered_segment_count) = 0) as is_handle_complete,
        sum(o.interaction_seconds) as interaction_seconds,
        sum(o.handle_seconds) as handle_seconds,
        sum(o.hold_seconds) as hold_seconds,
        sum(o.after_call_work_seconds) as acw
    from independent.siblings as counting
    join independent.interactions as mine using (interaction_key)
    join independent.offers as o on o.conversation_id = mine.conversation_id and o.interaction_key <> counting.interaction_key and o.outcome = 'answered'
    where counting.place = 1
    group by counting.interaction_key
) as work
where work.interaction_key = i.interaction_key;

create view independent.contacts as
select
    c.*,
    lead(c.session_started_at) over following as next_at,
    lead(c.channel) over following as next_channel
from independent.interactions as c
where c.destination_count > 0 and c.conversations = 1 and c.contact_key is not null
window following as (partition by c.account_id, c.contact_key order by c.session_started_at, c.interaction_key);
