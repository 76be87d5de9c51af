select
    product.product_id,
    product.name,
    product.price,
    product.stock,
    category.name as category
from products as product
join categories as category using (category_id)
where not product.discontinued
    and ($1::bigint is null or product.category_id = $1)
    and ($2::text is null or lower(category.name) = lower($2))
    and ($3::numeric is null or product.price >= $3)
    and ($4::numeric is null or product.price <= $4)
    and (not $5::boolean or product.stock > 0)
    and (
        select bool_and(strpos(lower(product.name || ' ' || product.description), lower(word)) > 0)
        from unnest($6::text[]) as word
    ) is not false
    and (product.price, product.product_id) < ($7, $8)
order by product.price desc, product.product_id desc
limit $9
