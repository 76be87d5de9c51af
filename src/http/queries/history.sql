select sequence, position, recorded_at, event_type, event_version, payload, metadata
from events
where aggregate_type = $1 and aggregate_id = $2 and sequence > $3
order by sequence
limit $4
