select
    placed.order_id,
    placed.placed_at,
    placed.status,
    placed.total as total_amount,
    coalesce(profile.email, '') as "customer_email!"
from orders as placed
left join customer_profile as profile using (customer_id)
where placed.customer_id = $1
    and (placed.placed_at, placed.order_id) < ($2, $3)
order by placed.placed_at desc, placed.order_id desc
limit $4
