select
    product.product_id,
    product.name,
    product.price,
    product.stock,
    category.name as category,
    product.description,
    product.sku,
    product.on_hand,
    product.reserved,
    product.discontinued,
    product.version,
    low.threshold as low_stock_threshold,
    product.created_at,
    detail.updated_at,
    detail.details as "details: Json<ProductDetails>",
    (
        select array_agg(image.hash || '.' || image.extension order by image.place)
        from product_images as image
        where image.product_id = product.product_id
    ) as images,
    (select media_base from settings limit 1) as media_base,
    (
        select jsonb_build_object('family_id', family.family_id, 'name', family.name, 'options', member.options)
        from family_members as member
        join families as family using (family_id)
        where member.product_id = product.product_id
    ) as "family: Json<FamilyPlace>"
from products as product
join categories as category using (category_id)
join product_details as detail using (product_id)
join low_stock as low using (product_id)
where product.product_id = $1
