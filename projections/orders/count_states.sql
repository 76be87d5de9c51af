-- States of the orders that were placed from $1 on and before $2: of the newest, at most $3.
select
    status,
    payment,
    count(*) as "orders!",
    sum(total) as "total_amount!",
    sum(count(*)) over () < $3::bigint as "complete!"
from (
    select status, payment, total
    from orders
    where placed_at >= $1
        and placed_at < $2
    order by placed_at desc, order_id desc
    limit $3
) as placed
group by status, payment
order by status, payment
