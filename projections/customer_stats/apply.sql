insert into customer_stats (customer_id, total_orders, total_spent)
select customer_id, 0, 0
from fact.customer_registered;

update customer_stats as customer
set total_orders = customer.total_orders + change.orders,
    total_spent = customer.total_spent + change.money
from (
    select customer_id, sum(orders) as orders, sum(money) as money
    from (
        select customer_id, 1 as orders, total as money from fact.order_placed
        union all
        select customer_id, -1, 0 from fact.order_cancelled
        union all
        select customer_id, 0, -credit from fact.order_credited
    ) as change
    group by customer_id
) as change
where customer.customer_id = change.customer_id;
