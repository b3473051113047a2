-- Rows that facts are made of, as one JSON object; only of interactions that the API still returns.
select
    session.interaction_key,
    jsonb_build_object(
        'session', to_jsonb(session) - 'meta_info' - 'extra',
        'destinations', coalesce((
            select jsonb_agg(to_jsonb(destination) order by destination.destination_index)
            from smartassist.destinations as destination
            where destination.interaction_key = session.interaction_key
        ), '[]'),
        'agent_segments', coalesce((
            select jsonb_agg(to_jsonb(segment) order by segment.destination_index, segment.segment_index)
            from smartassist.agent_segments as segment
            where segment.interaction_key = session.interaction_key
        ), '[]'),
        'consultations', coalesce((
            select jsonb_agg(to_jsonb(consultation) order by consultation.destination_index, consultation.segment_index, consultation.consultation_index)
            from smartassist.consultations as consultation
            where consultation.interaction_key = session.interaction_key
        ), '[]'),
        'tags', coalesce((
            select jsonb_agg(to_jsonb(tag) order by tag.tag_index)
            from smartassist.tags as tag
            where tag.interaction_key = session.interaction_key and tag.tag_scope = 'session'
        ), '[]')
    ) as rows
from smartassist.sessions as session
where session.interaction_key = any($1) and session.missing_since is null
