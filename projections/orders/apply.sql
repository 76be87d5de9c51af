insert into orders (order_id, customer_id, status, placed_at, reference, total, line_count, version)
select order_id, customer_id, 'pending', placed_at, reference, total, line_count, sequence
from fact.order_placed;

update orders as placed
set status = last.status, version = last.sequence
from (
    select distinct on (order_id) order_id, status, sequence
    from fact.order_status
    order by order_id, position desc
) as last
where placed.order_id = last.order_id;
