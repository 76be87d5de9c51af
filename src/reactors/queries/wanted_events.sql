select position, event_id, event_type, event_version, aggregate_type, aggregate_id, sequence, recorded_at,
    payload, metadata
from events
where position > $1 and position <= $2 and ('*' = any($3::text[]) or event_type = any($3))
order by position
