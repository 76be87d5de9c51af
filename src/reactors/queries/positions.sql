-- $2 and $3 generation and position that the node has seen: on a restored older database it enqueues nothing.
select reactor.position, reactor.parked_through, journal_head.position as head
from reactor, journal_head, log_identity
where name = $1 and log_identity.generation = $2 and journal_head.position >= $3
for update of reactor skip locked
