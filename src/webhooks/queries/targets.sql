select event.position as "position!", webhook_id::text as "target!"
from unnest($1::bigint[], $2::text[]) as event (position, event_type)
join webhook on active and since < event.position
    and (event.event_type = any(event_types) or '*' = any(event_types))
order by event.position, webhook_id
