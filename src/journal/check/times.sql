-- Recording times never decrease with the position, and the time of the head is not earlier than the last one.
select
    position,
    aggregate_type || '/' || aggregate_id as subject,
    'recorded at ' || previous || ' or later' as expected,
    'recorded at ' || recorded_at as found
from (
    select position, aggregate_type, aggregate_id, recorded_at,
        lag(recorded_at) over (order by position) as previous
    from event_log
) as step
where recorded_at < previous
union all
select
    last.position,
    'the head',
    'recorded at ' || last.recorded_at || ' or later',
    'recorded at ' || head.recorded_at
from journal_head as head
cross join (select position, recorded_at from event_log order by position desc limit 1) as last
where head.recorded_at < last.recorded_at
