select reaction_id, reactor, target, case when parked_at is null then 'due' else 'parked' end as "state!",
    attempts, due_at, parked_at, reason, reaction.position,
    event_id as "event_id!", event_type as "event_type!", aggregate_type as "aggregate_type!",
    aggregate_id as "aggregate_id!", event.recorded_at as "recorded_at!"
from reaction
join event_log as event on event.position = reaction.position
where reaction_id > $1
    and ($2::boolean is null or (parked_at is not null) = $2)
    and ($3::text is null or reactor = $3)
order by reaction_id
limit $4
