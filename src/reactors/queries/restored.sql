select reactor.name as reactor, coalesce(waiting.parked, 0) as "parked!",
    greatest(reactor.parked_through - reactor.position, 0) as "not_enqueued!"
from reactor
left join (
    select reaction.reactor, count(*) as parked from reaction where restored_in is not null group by reaction.reactor
) as waiting on waiting.reactor = reactor.name
where waiting.parked > 0 or reactor.parked_through > reactor.position
order by reactor.name
