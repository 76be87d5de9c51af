-- The value counts the items that can be ordered, as the total of a cart does.
-- Open carts with items that were not touched after $1, newest first, after the cart $3 that was touched at $2.
select
    cart.cart_id,
    case when cart.cart_id not like '%-%' then cart.cart_id::bigint end as customer_id,
    held.items as "items!",
    held.units as "units!",
    held.value as "value!",
    cart.updated_at as changed_at
from carts as cart
cross join lateral (
    select count(*) as items, sum(item.quantity)::bigint as units,
        coalesce(
            sum(item.quantity * product.price) filter (where not product.discontinued and product.stock >= item.quantity),
            0
        ) as value
    from cart_items as item
    join products as product using (product_id)
    where item.cart_id = cart.cart_id
    having count(*) > 0
) as held
where cart.state = 'open'
    and cart.updated_at <= $1
    and (cart.updated_at, cart.cart_id) < ($2, $3)
order by cart.updated_at desc, cart.cart_id desc
limit $4
