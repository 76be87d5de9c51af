select payload as "payload!", recorded_at as "recorded_at!"
from event_log
where aggregate_type = 'Order' and aggregate_id = $1 and sequence = 1 and event_type = 'OrderPlaced'
