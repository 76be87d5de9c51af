select
    product.product_id,
    product.name,
    product.price,
    product.stock,
    category.name as category
from products as product
join categories as category using (category_id)
where not product.discontinued
    and product.product_id > $1
    and not exists (
        select from order_lines as line
        where line.product_id = product.product_id
    )
order by product.product_id
limit $2
