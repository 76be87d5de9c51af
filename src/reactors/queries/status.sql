select reactor.name, reactor.position, head.position - reactor.position as "lag!",
    coalesce(waiting.due, 0) as "due!", coalesce(waiting.parked, 0) as "parked!",
    event.recorded_at as "oldest_due?"
from reactor
cross join journal_head as head
left join (
    select reactor, count(due_at) as due, count(parked_at) as parked,
        min(position) filter (where due_at is not null) as oldest
    from reaction
    group by reactor
) as waiting on waiting.reactor = reactor.name
left join event_log as event on event.position = waiting.oldest
order by reactor.name
