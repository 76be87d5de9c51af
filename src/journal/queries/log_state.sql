-- Identity and end of the log, and the event at a position that the node has seen.
-- $1 that position
select identity.log_id, identity.generation, identity.began_at, identity.began_after,
    head.position,
    (select event_id from event_log where position = head.position) as head_event,
    (select event_id from event_log where position = $1) as seen_event
from log_identity as identity, journal_head as head
