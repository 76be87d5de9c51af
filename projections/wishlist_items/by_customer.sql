-- Newest first. A deleted product has its last name and price.
select
    item.product_id,
    coalesce(product.name, deleted.name) as "name!",
    coalesce(product.price, deleted.price) as "price!",
    coalesce(product.stock, 0) as "stock!",
    product.product_id is null as "deleted!",
    coalesce(product.discontinued, false) as "discontinued!",
    coalesce(product.on_sale, false) as "on_sale!",
    item.added_at,
    item.position
from wishlist_items as item
left join products as product using (product_id)
left join products_deleted as deleted using (product_id)
where item.customer_id = $1
    and item.position < $2
    and coalesce(product.product_id, deleted.product_id) is not null
order by item.position desc
limit $3
