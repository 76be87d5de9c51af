select
    placed.order_id,
    placed.status,
    placed.payment,
    placed.fulfilment,
    placed.placed_at,
    placed.total as total_amount,
    placed.credited,
    placed.paid,
    placed.refunded,
    placed.payment_method,
    placed.pay_by,
    placed.shipping_country,
    placed.pricing,
    placed.customer_id,
    placed.reference,
    placed.version,
    customer.version as "customer_version?",
    coalesce(kept.pairs, '{}') as "metadata!"
from orders as placed
left join customers as customer using (customer_id)
left join entity_metadata as kept on kept.kind = 'order' and kept.id = placed.order_id::text
where placed.order_id = $1
