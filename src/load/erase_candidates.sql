-- Whose text holds the identifier ($1) or its hashed form ($2); of a phone number ($3) its digits, once nothing else is left of the text.
select session.account_id, session.interaction_id as id, stored.record::text as record
from smartassist.sessions as session
left join smartassist.raw_interactions as raw using (account_id, interaction_id)
cross join lateral (
    select coalesce(
        raw.payload,
        jsonb_build_object(
            'userId', session.user_id,
            'channelSpecificUserId', session.channel_specific_user_id,
            'Direction', session.direction,
            'metaInfo', session.meta_info,
            'customerinfo', jsonb_build_object(
                'CustomerPhone', session.customer_phone, 'CustomerEmail', session.customer_email
            )
        )
    ) as record
) as stored
where (session.account_id, session.interaction_id) > ($4, $5)
  and (
      strpos(lower(stored.record::text), lower(trim(both '"' from to_jsonb($1::text)::text))) > 0
      or strpos(stored.record::text, $2) > 0
      or ($3 and strpos(regexp_replace(stored.record::text, '[^0-9]', '', 'g'), $1) > 0)
  )
order by session.account_id, session.interaction_id
limit $6
