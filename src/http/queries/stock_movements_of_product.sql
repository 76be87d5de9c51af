-- Stock events of the product $1, newest first: before the sequence $2, recorded from $3 on and before $4, of the types $5,
-- at most $6. A page reads at most $7 events of the stream; `walked_to` is the sequence where it ended before the stream
-- did.
with bounds as materialized (
    select
        case when $3::timestamptz is null then 0 else sequence_upto('Product', $1, position_before($3)) end as after,
        case
            when $4::timestamptz is null then $2::bigint
            else least($2::bigint, sequence_upto('Product', $1, position_before($4)) + 1)
        end as before
),
walk as (
    select event.*
    from bounds
    cross join lateral (
        select sequence, position, event_id, recorded_at, event_type, event_version, payload, metadata
        from event_log
        where aggregate_type = 'Product'
            and aggregate_id = $1
            and sequence > bounds.after
            and sequence < bounds.before
        order by sequence desc
        limit $7
    ) as event
)
select
    ended.walked_to,
    event.sequence as "sequence?",
    event.position as "position?",
    event.event_id as "event_id?",
    event.recorded_at as "recorded_at?",
    event.event_version as "event_version?",
    event.payload as "payload?",
    event.metadata ->> 'actor' as actor
from (select case when count(*) = $7 then min(sequence) end as walked_to from walk) as ended
left join (
    select *
    from walk
    where event_type = any($5::text[])
    order by sequence desc
    limit $6
) as event on true
order by event.sequence desc
limit $6
