-- How many erasures wait for open orders, since when, and how many of them since before $1.
select
    count(*) as "waiting!",
    min(waiting.requested_at) as since,
    count(*) filter (where waiting.requested_at < $1) as "overdue!"
from (
    select erasure_requested_at as requested_at from customers where erasure_requested_at < 'infinity'
    union all
    select erasure_requested_at from orders where erasure_requested_at < 'infinity'
) as waiting
