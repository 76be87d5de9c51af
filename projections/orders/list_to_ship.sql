-- As list.sql, among the orders in one of the states before shipment; along the index of these.
-- With `offset 0`, each order is looked up by its own index; without it, PostgreSQL may read a whole table first.
select
    order_id,
    placed_at,
    status,
    payment,
    fulfilment,
    total as total_amount,
    customer_id,
    reference,
    line_count,
    found as "found!",
    place = 10000 as "last!"
from (
    select
        placed.*,
        row_number() over (order by placed.placed_at desc, placed.order_id desc) as place,
        (
            ($5::text is null or placed.status = $5)
            and ($6::text is null or placed.payment = $6)
            and ($7::text is null or placed.fulfilment = $7)
            and ($8::text is null or placed.reference_key = $8)
            and ($9::bigint is null or placed.customer_id = $9)
            and ($10::bigint is null or exists (
                select from order_lines as line
                where line.product_id = $10 and line.order_id = placed.order_id
                offset 0
            ))
            and ($11::text is null or placed.customer_id = $12 or exists (
                select from order_contact as contact
                where contact.order_id = placed.order_id and lower(contact.email) = lower($11)
                offset 0
            ))
            and ($13::bigint is null or exists (
                select from order_lines as line
                where line.order_id = placed.order_id and line.category_id = $13
                offset 0
            ))
            and ($14::text is null or exists (
                select from order_address as address
                where address.order_id = placed.order_id and address.kind = 'shipping'
                    and lower(address.city) = lower($14)
                offset 0
            ))
            and ($15::text is null or exists (
                select from refunds as refund
                where refund.order_id = placed.order_id and refund.state = $15
                offset 0
            ))
        ) is true as found
    from (
        select *
        from orders as placed
        where (placed.placed_at, placed.order_id) < ($1, $2)
            and placed.placed_at >= $3
            and placed.status = $5
            and placed.status in ('pending', 'processing')
        order by placed.placed_at desc, placed.order_id desc
        limit 10000
    ) as placed
) as walked
where found or place = 10000
order by placed_at desc, order_id desc
limit $4
