select
    product.product_id,
    product.name,
    product.description,
    product.price,
    product.category_id,
    product.sku,
    product.stock,
    product.on_sale and not product.discontinued as "is_available!",
    product.created_at,
    detail.updated_at,
    detail.details as "details: Json<ProductDetails>"
from products as product
join product_details as detail using (product_id)
where product.product_id > $1
order by product.product_id
limit $2
