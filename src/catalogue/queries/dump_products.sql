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
    detail.details as "details: Json<ProductDetails>",
    (
        select array_agg(image.hash || '.' || image.extension order by image.place)
        from product_images as image
        where image.product_id = product.product_id
    ) as images,
    (select media_base from settings limit 1) as media_base
from products as product
join product_details as detail using (product_id)
where product.product_id > $1
order by product.product_id
limit $2
