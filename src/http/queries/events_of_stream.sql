select position, event_id, recorded_at, aggregate_type, aggregate_id, sequence, event_type, event_version,
    payload, metadata
from events
where aggregate_type = $1 and aggregate_id = $2 and position > $3 and ($4::text is null or event_type = $4)
order by sequence
limit $5
