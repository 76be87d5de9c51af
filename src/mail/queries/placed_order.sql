select payload, recorded_at
from events
where aggregate_type = 'Order' and aggregate_id = $1 and sequence = 1 and event_type = 'OrderPlaced'
