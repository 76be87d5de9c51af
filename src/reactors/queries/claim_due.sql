-- Claims what is due, but no more of a target than may be in progress at once. The next attempt is scheduled before this
-- one, so that a reaction that ends the process does not end it again and again.
-- $1 the reactor; $2 and $3 targets with attempts in progress, and how many; $4 the limit per target; $5 the limit in
-- all; $6 for how long the claim holds; $7 and $8 generation and position that the node has seen: on a restored older
-- database it claims nothing.
with recursive target as (
    (select target from reaction where reactor = $1 and due_at is not null order by target limit 1)
    union all
    select (
        select further.target from reaction as further
        where further.reactor = $1 and further.due_at is not null and further.target > target.target
        order by further.target limit 1
    )
    from target
    where target.target is not null
),
due as (
    select taken.reaction_id
    from target
    left join unnest($2::text[], $3::bigint[]) as busy (target, count) on busy.target = target.target
    cross join lateral (
        select reaction_id from reaction
        where reactor = $1 and reaction.target = target.target and due_at <= now()
        order by due_at
        limit greatest($4::bigint - coalesce(busy.count, 0), 0)
        for update skip locked
    ) as taken
    where (select generation from log_identity) = $7 and (select position from journal_head) >= $8
    order by random()
    limit $5
)
update reaction set attempts = attempts + 1, due_at = clock_timestamp() + $6
from due, events as event
where reaction.reaction_id = due.reaction_id and event.position = reaction.position
returning reaction.reaction_id, reaction.target, reaction.attempts,
    event.position, event.event_id, event.event_type, event.event_version, event.aggregate_type,
    event.aggregate_id, event.sequence, event.recorded_at, event.payload, event.metadata
