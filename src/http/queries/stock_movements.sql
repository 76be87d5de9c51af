-- Stock events of all products, newest first: before the position $1, recorded from $2 on and before $3, of the types $4.
select
    event.position as "position!",
    event.event_id as "event_id!",
    event.recorded_at as "recorded_at!",
    event.aggregate_id as "aggregate_id!",
    event.event_version as "event_version!",
    event.payload as "payload!",
    event.metadata ->> 'actor' as actor
from (
    select
        case when $2::timestamptz is null then 0 else position_before($2) end as after,
        case when $3::timestamptz is null then $1 else least($1, position_before($3) + 1) end as before
    offset 0
) as bounds
cross join unnest($4::text[]) as kind (event_type)
cross join lateral (
    select position, event_id, recorded_at, aggregate_id, event_version, payload, metadata
    from event_log
    -- Compared as rows, so that only the index by type serves the order: a rare type is found without reading the log.
    where (event_log.event_type, event_log.position) > (kind.event_type, bounds.after)
        and (event_log.event_type, event_log.position) < (kind.event_type, bounds.before)
    order by event_log.event_type desc, event_log.position desc
    limit $5
) as event
order by event.position desc
limit $5
