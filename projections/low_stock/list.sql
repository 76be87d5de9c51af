select
    product.product_id,
    product.name,
    product.price,
    product.stock,
    category.name as category
from low_stock as product
join categories as category using (category_id)
where product.listed
    and product.stock < $1
    and (product.stock, product.product_id) > ($2, $3)
order by product.stock, product.product_id
limit $4
