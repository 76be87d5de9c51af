-- Customers who wait to be erased and have no open order, longest waiting first, and the position of the log that this is
-- true at.
select
    customer.customer_id,
    (select account.account_id from account where account.customer_id = customer.customer_id) as account_id,
    lease.position
from customers as customer
cross join projector_lease as lease
where customer.erasure_requested_at < 'infinity'
    and not exists (
        select from orders as placed
        where placed.customer_id = customer.customer_id
            and ((placed.status in ('pending', 'processing', 'shipped') and placed.fulfilment <> 'returned')
                or placed.total - placed.credited > placed.paid - placed.refunded)
    )
    and not exists (
        select from refunds as refund join orders as placed using (order_id)
        where refund.state = 'requested' and placed.customer_id = customer.customer_id
    )
order by customer.erasure_requested_at, customer.customer_id
limit $1
