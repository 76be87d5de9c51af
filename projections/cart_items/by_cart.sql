-- A deleted product has its last name and price.
select
    item.product_id,
    item.quantity,
    coalesce(product.name, deleted.name) as "product_name!",
    coalesce(product.price, deleted.price) as "price!",
    coalesce(product.stock, 0) as "stock!",
    product.product_id is null as "deleted!",
    coalesce(product.discontinued, false) as "discontinued!",
    coalesce(product.on_sale, false) as "on_sale!"
from cart_items as item
left join products as product using (product_id)
left join products_deleted as deleted using (product_id)
where item.cart_id = $1
    and coalesce(product.product_id, deleted.product_id) is not null
order by item.product_id
limit 500
