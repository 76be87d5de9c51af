-- $3 the generation: after a restore there are no events, rather than those of another log.
select position, event_id, recorded_at, aggregate_type, aggregate_id, sequence, event_type, event_version,
    payload, metadata
from events
where position > $1 and (select generation from log_identity) = $3
order by position
limit $2
