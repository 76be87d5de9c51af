-- $6 the generation: after a restore there are no events, rather than those of another log.
select position as "position!", event_id as "event_id!", recorded_at as "recorded_at!",
    aggregate_type as "aggregate_type!", aggregate_id as "aggregate_id!", sequence as "sequence!",
    event_type as "event_type!", event_version as "event_version!", payload as "payload!", metadata as "metadata!"
from event_log
where aggregate_type = $1 and aggregate_id = $2 and position > $3 and position < $4
    and ($5::text is null or event_type = $5) and (select generation from log_identity) = $6
order by sequence desc
limit $7
