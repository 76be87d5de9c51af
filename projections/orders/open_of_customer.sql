-- Open orders of a customer, the first $2 by number, and the position of the log that this is true at.
-- An order is open by the rule of `PlacedOrder::is_open`; the condition is that of the index `orders_open`.
select
    lease.position,
    array(
        select placed.order_id from orders as placed
        where placed.customer_id = $1
            and ((placed.status in ('pending', 'processing', 'shipped') and placed.fulfilment <> 'returned')
            or placed.total - placed.credited > placed.paid - placed.refunded)
        union
        select refund.order_id from refunds as refund join orders as placed using (order_id)
        where refund.state = 'requested' and placed.customer_id = $1
        order by order_id
        limit $2
    ) as "order_ids!"
from projector_lease as lease
