select
    product.product_id,
    product.name,
    member.options as "options: _",
    product.price,
    product.stock,
    product.discontinued,
    product.on_sale,
    product.sku
from family_members as member
join products as product using (product_id)
where member.family_id = $1
order by product.product_id
limit 500
