-- States of the orders that wait for staff, at most $1; along the index of these.
select
    status,
    payment,
    count(*) as "orders!",
    sum(total) as "total_amount!",
    sum(count(*)) over () < $1::bigint as "complete!"
from (
    select status, payment, total
    from orders
    where status in ('pending', 'processing')
    limit $1
) as placed
group by status, payment
order by status, payment
