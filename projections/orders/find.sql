select
    placed.order_id,
    placed.status,
    placed.placed_at,
    placed.total as total_amount,
    placed.customer_id,
    placed.reference,
    placed.version
from orders as placed
where placed.order_id = $1
