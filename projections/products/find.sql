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
    product.version
from products as product
join categories as category using (category_id)
where product.product_id = $1
