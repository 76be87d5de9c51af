select reactor.position, journal_head.position as head
from reactor, journal_head
where name = $1
for update of reactor skip locked
