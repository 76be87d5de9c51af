-- Streams of the kinds $1 whose last event has a position after $2 and up to $3: their first and last sequence in `events`.
select stream.kind as "kind!", stream.id as "id!", first.sequence as "first!", stream.version as "version!"
from (
    select aggregate_type as kind, aggregate_id as id, max(sequence) as version
    from events
    where position > $2 and position <= $3 and aggregate_type = any($1)
    group by aggregate_type, aggregate_id
) as stream
cross join lateral (
    select sequence from events
    where aggregate_type = stream.kind and aggregate_id = stream.id
    order by sequence
    limit 1
) as first
where not exists (
    select from events as later
    where later.aggregate_type = stream.kind and later.aggregate_id = stream.id and later.sequence > stream.version
)
order by stream.kind, stream.id
