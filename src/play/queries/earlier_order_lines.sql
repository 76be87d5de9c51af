select distinct placed.customer_id as "customer_id!", line.product_id, line.unit_price, placed.placed_at, placed.order_id
from unnest($1::bigint[], $2::bigint[]) as wanted (customer_id, product_id)
join orders as placed using (customer_id)
join order_lines as line using (order_id, product_id)
order by placed.placed_at desc, placed.order_id desc
