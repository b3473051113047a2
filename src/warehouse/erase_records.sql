-- Every interaction as received, or put together from its rows if that was not kept. No pattern finds every
-- spelling of a number or address, so all are read.
select session.account_id, session.interaction_key::text as id, coalesce(
    raw.payload,
    jsonb_build_object(
        'userId', session.user_id,
        'channelSpecificUserId', session.channel_specific_user_id,
        'Direction', session.direction,
        'metaInfo', session.meta_info,
        'customerinfo', jsonb_build_object('CustomerPhone', session.customer_phone, 'CustomerEmail', session.customer_email),
        'rows', jsonb_build_array(
            to_jsonb(session),
            (
                select jsonb_agg(to_jsonb(destination)) from smartassist.destinations as destination
                where destination.interaction_key = session.interaction_key
            ),
            (
                select jsonb_agg(to_jsonb(segment)) from smartassist.agent_segments as segment
                where segment.interaction_key = session.interaction_key
            ),
            (
                select jsonb_agg(to_jsonb(consultation)) from smartassist.consultations as consultation
                where consultation.interaction_key = session.interaction_key
            ),
            (
                select jsonb_agg(to_jsonb(joined)) from smartassist.joined_users as joined
                where joined.interaction_key = session.interaction_key
            ),
            (
                select jsonb_agg(to_jsonb(tag)) from smartassist.tags as tag
                where tag.interaction_key = session.interaction_key
            )
        )
    )
)::text as record
from smartassist.sessions as session
left join smartassist.raw_interactions as raw using (interaction_key)
