-- Open carts that were not touched after $1, longest untouched first. A customer's that is empty is nothing to expire.
select cart_id, version
from carts as cart
where state = 'open'
    and updated_at <= $1
    and (
        cart_id like '%-%'
        or exists (select from cart_items as item where item.cart_id = cart.cart_id)
    )
order by updated_at, cart_id
limit $2
