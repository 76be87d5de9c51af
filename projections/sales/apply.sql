insert into sales as total (day, orders, units, revenue)
select day, sum(orders), sum(units), sum(money)
from (
    select (placed_at at time zone 'UTC')::date as day, 1 as orders, 0 as units, total as money
    from fact.order_placed
    union all
    select (placed_at at time zone 'UTC')::date, 0, quantity, 0
    from fact.order_line_placed
    union all
    select (placed_at at time zone 'UTC')::date, -1, 0, 0
    from fact.order_cancelled
    union all
    select (placed_at at time zone 'UTC')::date, 0, 0, -credit
    from fact.order_credited
    -- What is paid back of a cancelled order credits nothing, and must not bring its day back.
    where credit <> 0
    union all
    select (placed_at at time zone 'UTC')::date, 0, -quantity, 0
    from fact.order_line_taken_back
) as change
group by day
on conflict (day) do update
set orders = total.orders + excluded.orders,
    units = total.units + excluded.units,
    revenue = total.revenue + excluded.revenue;

delete from sales as total
using fact.order_cancelled as event
where total.day = (event.placed_at at time zone 'UTC')::date
    and total.orders = 0;
