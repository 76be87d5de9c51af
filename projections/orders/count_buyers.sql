-- Buyers of the orders that were placed from $1 on and before $2 and not cancelled: of the newest orders, at most $3. A customer
-- is new whose first order is one of these days.
with placed as (
    select customer_id, status, total - credited as amount
    from orders
    where placed_at >= $1
        and placed_at < $2
    order by placed_at desc, order_id desc
    limit $3
),
buyer as (
    select
        customer_id,
        count(*) as orders,
        sum(amount) as amount,
        case
            when customer_id is null then 'guest'
            when exists (
                select from orders as earlier
                where earlier.customer_id = placed.customer_id
                    and earlier.placed_at < $1
                    and earlier.status <> 'cancelled'
            ) then 'returning'
            else 'new'
        end as kind
    from placed
    where status <> 'cancelled'
    group by customer_id
)
select
    kind as "kind!",
    count(customer_id) as "customers!",
    sum(orders)::bigint as "orders!",
    sum(amount) as "total_amount!",
    (select count(*) from placed) < $3::bigint as "complete!"
from buyer
group by kind
order by kind
