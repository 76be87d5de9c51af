-- The page that every shopper sees first. The lists with filters are planned for any filter, and cost three times as much.
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
    null::jsonb as "full: _"
from products as product
join categories as category using (category_id)
where not product.discontinued
    and (product.name_key, product.product_id) > ($1, $2)
order by product.name_key, product.product_id
limit $3
