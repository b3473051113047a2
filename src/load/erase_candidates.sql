-- Whose text holds a fragment of the identifier ($1), or its hashed form ($2); of a phone number ($3) its digits, once nothing else is left of the
-- text. Letters are folded in ASCII alone, as every database does it alike; the two others whose small form is ASCII (the Kelvin sign, a capital I
-- with a dot) are always looked at. Of a text that holds escapes (here: control characters) nothing is known before they are undone.
select session.account_id, session.interaction_id as id, stored.record
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
    )::text as record
) as stored
where (session.account_id, session.interaction_id) > ($4, $5)
  and (
      strpos(lower(stored.record collate "C"), lower($1 collate "C")) > 0
      or strpos(stored.record, $2) > 0
      or ($3 and strpos(regexp_replace(stored.record, '[^0-9]', '', 'g'), $1) > 0)
      or stored.record ~ '\\u|\u212A|\u0130'
  )
order by session.account_id, session.interaction_id
limit $6
