-- $5 the generation: after a restore there are no events, rather than those of another log.
select position as "position!", event_id as "event_id!", recorded_at as "recorded_at!",
    aggregate_type as "aggregate_type!", aggregate_id as "aggregate_id!", sequence as "sequence!",
    event_type as "event_type!", event_version as "event_version!", payload as "payload!", metadata as "metadata!"
from event_log
where position > $1 and position < $2 and event_type = $3 and (select generation from log_identity) = $5
order by position desc
limit $4
