select event_id as "event_id!", payload ->> 'method' as "method!"
from event_log
where aggregate_type = 'Order' and aggregate_id = $1 and event_type = 'OrderPaymentRequested'
    and (payload ->> 'attempt')::bigint = $2
