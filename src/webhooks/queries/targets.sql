-- A webhook receives the events after its creation, except those while it was off. The comparison is by position, so a
-- reactor that lags behind the log decides the same.
select event.position as "position!", webhook_id::text as "target!"
from unnest($1::bigint[], $2::text[]) as event (position, event_type)
join webhook on since < event.position
    and (active or event.position <= off_after)
    and not (event.position > coalesce(off_after, event.position) and event.position <= coalesce(off_upto, 0))
    and (event.event_type = any(event_types) or '*' = any(event_types))
order by event.position, webhook_id
