-- The archived events of a stream are its first, and their numbers are at most the stored highest one of their kind.
select
    event.position,
    event.aggregate_type || '/' || event.aggregate_id as subject,
    'an archived event, because sequence ' || archived.sequence || ' is archived' as expected,
    'sequence ' || event.sequence || ' in events' as found
from events as event
join (
    select aggregate_type, aggregate_id, max(sequence) as sequence
    from events_archive
    group by aggregate_type, aggregate_id
) as archived using (aggregate_type, aggregate_id)
where event.sequence < archived.sequence
union all
select
    archived.position,
    archived.aggregate_type || '/' || archived.aggregate_id,
    'number ' || coalesce(stored.highest, 0) || ' or less',
    'number ' || archived.aggregate_id
from (
    select * from events_archive where sequence = 1 and aggregate_id ~ '^[1-9][0-9]{0,17}$'
) as archived
left join archived_number as stored on stored.kind = archived.aggregate_type
where archived.aggregate_id::bigint > coalesce(stored.highest, 0)
