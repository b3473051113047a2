select
    offer.interaction_key || '-' || offer.destination_index || '-' || offer.segment_index as agent_offer_key,
    offer.*
from {{ source('smartassist', 'agent_offers') }} as offer
