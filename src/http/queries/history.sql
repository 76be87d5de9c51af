select sequence as "sequence!", position as "position!", recorded_at as "recorded_at!", event_type as "event_type!",
    event_version as "event_version!", payload as "payload!", metadata as "metadata!"
from event_log
where aggregate_type = $1 and aggregate_id = $2 and sequence > $3
order by sequence
limit $4
