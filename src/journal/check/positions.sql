-- Positions are 1..n without a gap, and the head is at n.
select
    position,
    aggregate_type || '/' || aggregate_id as subject,
    'position ' || previous + 1 as expected,
    'position ' || position as found
from (
    select position, aggregate_type, aggregate_id, coalesce(lag(position) over (order by position), 0) as previous
    from event_log
) as step
where position <> previous + 1
union all
select
    last.position,
    'the head',
    'position ' || last.position,
    'position ' || head.position
from journal_head as head
cross join (select coalesce(max(position), 0) as position from event_log) as last
where head.position <> last.position
