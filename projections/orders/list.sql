select
    placed.order_id,
    placed.placed_at,
    placed.status,
    placed.payment,
    placed.fulfilment,
    placed.total as total_amount,
    placed.customer_id,
    placed.reference,
    placed.line_count
from orders as placed
where ($1::text is null or placed.status = $1)
    and ($2::timestamptz is null or placed.placed_at >= $2)
    and ($3::timestamptz is null or placed.placed_at < $3)
    and ($4::bigint is null or placed.customer_id = $4)
    and ($8::text is null or placed.payment = $8)
    and (placed.placed_at, placed.order_id) < ($5, $6)
order by placed.placed_at desc, placed.order_id desc
limit $7
