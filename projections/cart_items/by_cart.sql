select
    product.name as product_name,
    product.price,
    item.quantity,
    product.price * item.quantity as "subtotal!",
    item.product_id
from cart_items as item
join products as product using (product_id)
where item.cart_id = $1
order by item.product_id
limit 500
