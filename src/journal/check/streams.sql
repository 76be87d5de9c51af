-- The events of every stream are numbered 1..k, in the order of their positions.
select
    position,
    aggregate_type || '/' || aggregate_id as subject,
    'sequence ' || place as expected,
    'sequence ' || sequence as found
from (
    select position, aggregate_type, aggregate_id, sequence,
        row_number() over (partition by aggregate_type, aggregate_id order by position) as place
    from event_log
) as step
where sequence <> place
