-- Erasures that wait for open orders, of customers and of guests, longest waiting first. The key is that of the last row:
-- time, customer, order; 0 for none.
select
    waiting.requested_at as "requested_at!",
    waiting.customer_id,
    waiting.order_id,
    array(
        select placed.order_id from orders as placed
        where placed.customer_id = waiting.customer_id
            and ((placed.status in ('pending', 'processing', 'shipped') and placed.fulfilment <> 'returned')
            or placed.total - placed.credited > placed.paid - placed.refunded)
        union
        select refund.order_id from refunds as refund join orders as placed using (order_id)
        where refund.state = 'requested' and placed.customer_id = waiting.customer_id
        union
        select waiting.order_id where waiting.order_id is not null
        order by order_id
        limit 10
    ) as "open_orders!"
from (
    select customer.erasure_requested_at as requested_at, customer.customer_id, null::bigint as order_id
    from customers as customer
    where customer.erasure_requested_at < 'infinity'
    union all
    select placed.erasure_requested_at, null, placed.order_id
    from orders as placed
    where placed.erasure_requested_at < 'infinity'
) as waiting
where (waiting.requested_at, coalesce(waiting.customer_id, 0), coalesce(waiting.order_id, 0)) > ($1, $2, $3)
order by waiting.requested_at, coalesce(waiting.customer_id, 0), coalesce(waiting.order_id, 0)
limit $4
