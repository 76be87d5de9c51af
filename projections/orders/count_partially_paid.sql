-- Orders that wait for the rest of their money.
select count(*) as "orders!"
from orders
where payment = 'partially_paid' and status <> 'cancelled'
