select position as "position!", event_id as "event_id!", event_type as "event_type!",
    event_version as "event_version!", aggregate_type as "aggregate_type!", aggregate_id as "aggregate_id!",
    sequence as "sequence!", recorded_at as "recorded_at!", payload as "payload!", metadata as "metadata!"
from event_log
where position > $1 and position <= $2 and ('*' = any($3::text[]) or event_type = any($3))
order by position
