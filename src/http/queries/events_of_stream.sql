-- $6 the generation: after a restore there are no events, rather than those of another log.
select position, event_id, recorded_at, aggregate_type, aggregate_id, sequence, event_type, event_version,
    payload, metadata
from events
where aggregate_type = $1 and aggregate_id = $2 and position > $3 and ($4::text is null or event_type = $4)
    and (select generation from log_identity) = $6
order by sequence
limit $5
