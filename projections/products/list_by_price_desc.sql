select
    product.product_id,
    product.name,
    product.price,
    product.stock,
    category.name as category,
    product.on_hand,
    product.reserved,
    product.sku
from products as product
join categories as category using (category_id)
where product.discontinued = $9
    and ($1::bigint[] is null or product.category_id = any($1))
    and ($10::bigint[] is null or product.product_id = any($10))
    and ($2::numeric is null or product.price >= $2)
    and ($3::numeric is null or product.price <= $3)
    and ($4::boolean is null or (product.stock > 0) = $4)
    and (
        select bool_and(strpos(product.search_key, word) > 0)
        from unnest($5::text[]) as word
    ) is not false
    and (product.price, product.product_id) < ($6, $7)
order by product.price desc, product.product_id desc
limit $8
