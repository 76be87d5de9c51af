-- With $10, one product of each family: the first in this order among those that match. The condition on the family is
-- written so that the planner keeps to the index of this order.
with matching as not materialized (
    select product.*
    from products as product
    left join product_search as search
        on $5::text[] is not null and search.product_id = product.product_id
    where product.discontinued = $8
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
            $11::jsonb is null
            or product.product_id in (select detail.product_id from product_details as detail where detail.filter_keys @> $11)
        )
        and ($12::boolean is null or product.on_sale = $12)
        and ($9::bigint[] is null or product.product_id = any($9))
)
select
    product.product_id,
    product.name,
    product.price,
    product.stock,
    category.name as category,
    product.on_hand,
    product.reserved,
    product.sku,
    case when $10 or $13 then (
        select jsonb_build_object('family_id', family.family_id, 'name', family.name, 'options', member.options, 'range', (
            select jsonb_build_object(
                'products', count(*),
                'min_price', min(listed.price)::text,
                'max_price', max(listed.price)::text,
                'in_stock', coalesce(bool_or(listed.stock > 0), false),
                'available', coalesce(bool_or(listed.stock > 0 and listed.on_sale), false)
            )
            from family_members as other
            join products as listed using (product_id)
            where $10
                and other.family_id = family.family_id
                and not listed.discontinued
        ))
        from family_members as member
        join families as family using (family_id)
        where member.product_id = product.product_id
    ) end as "family: _",
    case when $13::boolean then (
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
from matching as product
join categories as category using (category_id)
where product.product_id < $6
    and (
        not $10::boolean
        or exists (
            select
            from family_members as member
            join family_members as other using (family_id)
            join matching as sibling on sibling.product_id = other.product_id
            where member.product_id = product.product_id
                and sibling.product_id > product.product_id
        ) is not true
    )
order by product.product_id desc
limit $7
