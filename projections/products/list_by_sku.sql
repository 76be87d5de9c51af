-- Products whose SKU has the same text_key: as a rule one, because SKUs are unique.
select
    product.product_id,
    product.name,
    product.price,
    product.stock,
    category.name as category,
    product.on_hand,
    product.reserved,
    product.sku,
    null::jsonb as "family: _",
    case when $11::boolean then (
        select jsonb_build_object(
            'description', product.description,
            'discontinued', product.discontinued,
            'created_at', product.created_at,
            'updated_at', detail.updated_at,
            'details', detail.details,
            'low_stock_threshold', low.threshold,
            'images', (
                select jsonb_agg(image.hash || '.' || image.extension order by image.place)
                from product_images as image
                where image.product_id = product.product_id
            ),
            'media_base', (select media_base from settings limit 1)
        )
        from product_details as detail
        join low_stock as low using (product_id)
        where detail.product_id = product.product_id
    ) end as "full: _"
from products as product
join categories as category using (category_id)
left join product_search as search
    on $5::text[] is not null and search.product_id = product.product_id
where product.sku_key = $6
    and product.discontinued = $7
    and ($1::bigint[] is null or product.category_id = any($1))
    and ($2::numeric is null or product.price >= $2)
    and ($3::numeric is null or product.price <= $3)
    and ($4::boolean is null or (product.stock > 0) = $4)
    and (
        $5::text[] is null
        or (
            select bool_and(strpos(search.name_key || ' ' || search.description_key, word) > 0)
            from unnest($5) as word
        ) is not false
    )
    and (
        $9::jsonb is null
        or product.product_id in (select detail.product_id from product_details as detail where detail.filter_keys @> $9)
    )
    and ($10::boolean is null or product.on_sale = $10)
    and ($8::bigint[] is null or product.product_id = any($8))
order by product.name_key, product.product_id
limit 1000
