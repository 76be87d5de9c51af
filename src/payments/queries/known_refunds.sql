select event_id as "event_id!", payload ->> 'reference' as reference
from event_log
where aggregate_type = 'Order' and aggregate_id = $1
    and (event_id = any($2::uuid[]) or event_type = 'OrderRefunded' and payload ->> 'reference' = any($3::text[]))
