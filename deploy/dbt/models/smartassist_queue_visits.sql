select
    visit.interaction_key || '-' || visit.destination_index as queue_visit_key,
    visit.*
from {{ source('smartassist', 'queue_visits') }} as visit
