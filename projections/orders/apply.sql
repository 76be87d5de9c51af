insert into orders (
    order_id, customer_id, status, payment, fulfilment, placed_at, reference, reference_key, total, credited, paid,
    refunded, payment_method, pay_by, shipping_country, pricing, line_count, version
)
-- An order with nothing to pay is paid from the start and has no deadline; older events do not say so.
select
    order_id, customer_id, 'pending', case when total = 0 then 'paid' else 'pending' end, 'unfulfilled', placed_at,
    reference, fact.text_key(reference), total, 0, 0, 0, payment_method,
    case when total > 0 then pay_by end, shipping_country, pricing, line_count, sequence
from fact.order_placed;

update orders as placed
set status = coalesce(step.status, placed.status),
    payment = coalesce(step.payment, placed.payment),
    fulfilment = coalesce(step.fulfilment, placed.fulfilment),
    payment_method = coalesce(step.payment_method, placed.payment_method),
    paid = placed.paid + step.paid,
    refunded = placed.refunded + step.refunded,
    credited = placed.credited + step.credited,
    shipping_country = coalesce(step.shipping_country, placed.shipping_country),
    erasure_requested_at = coalesce(step.erasure_requested_at, placed.erasure_requested_at),
    version = step.version
from (
    select
        order_id,
        (array_agg(status order by position desc) filter (where status is not null))[1] as status,
        (array_agg(payment order by position desc) filter (where payment is not null))[1] as payment,
        (array_agg(fulfilment order by position desc) filter (where fulfilment is not null))[1] as fulfilment,
        (array_agg(payment_method order by position desc) filter (where payment_method is not null))[1]
            as payment_method,
        sum(paid) as paid,
        sum(refunded) as refunded,
        sum(credited) as credited,
        (array_agg(shipping_country order by position desc) filter (where shipping_country is not null))[1]
            as shipping_country,
        (array_agg(erasure_requested_at order by position desc) filter (where erasure_requested_at is not null))[1]
            as erasure_requested_at,
        max(sequence) as version
    from fact.order_step
    group by order_id
) as step
where placed.order_id = step.order_id;
