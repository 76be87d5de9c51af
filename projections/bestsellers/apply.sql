with sold as (
    select day, product_id, sum(units) as units, sum(money) as money
    from (
        select (placed_at at time zone 'UTC')::date as day, product_id, quantity as units, subtotal as money
        from fact.order_line_placed
        union all
        select (placed_at at time zone 'UTC')::date, product_id, -quantity, -subtotal
        from fact.order_line_taken_back
    ) as line
    group by day, product_id
),
total as (
    insert into bestsellers as best (product_id, units_sold, revenue)
    select product_id, sum(units), sum(money)
    from sold
    group by product_id
    on conflict (product_id) do update
    set units_sold = best.units_sold + excluded.units_sold, revenue = best.revenue + excluded.revenue
),
by_month as (
    insert into bestsellers_by_month as best (month, product_id, units_sold, revenue)
    select date_trunc('month', day::timestamp)::date, product_id, sum(units), sum(money)
    from sold
    group by date_trunc('month', day::timestamp), product_id
    on conflict (month, product_id) do update
    set units_sold = best.units_sold + excluded.units_sold, revenue = best.revenue + excluded.revenue
)
insert into bestsellers_by_day as best (day, product_id, units_sold, revenue)
select day, product_id, units, money
from sold
on conflict (day, product_id) do update
set units_sold = best.units_sold + excluded.units_sold, revenue = best.revenue + excluded.revenue;

delete from bestsellers as best
using fact.order_line_taken_back as event
where best.product_id = event.product_id
    and best.units_sold = 0;

delete from bestsellers_by_day as best
using fact.order_line_taken_back as event
where best.day = (event.placed_at at time zone 'UTC')::date
    and best.product_id = event.product_id
    and best.units_sold = 0;

delete from bestsellers_by_month as best
using fact.order_line_taken_back as event
where best.month = date_trunc('month', event.placed_at at time zone 'UTC')::date
    and best.product_id = event.product_id
    and best.units_sold = 0;
