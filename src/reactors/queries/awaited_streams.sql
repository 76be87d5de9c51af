-- Streams of the kinds $1 with an event up to the position $2 that a reaction is still to be carried out for.
select distinct event.aggregate_type as "kind!", event.aggregate_id as "id!"
from reaction
join event_log as event on event.position = reaction.position
where reaction.position <= $2 and event.aggregate_type = any($1)
