-- Products below their own threshold, and those without one below that of the shop: 10 until it was changed.
select
    product.product_id as "product_id!",
    product.name as "name!",
    product.price as "price!",
    product.stock as "stock!",
    category.name as category,
    coalesce(product.threshold, shop.threshold) as "low_stock_threshold!"
from (select coalesce(max(low_stock_threshold), 10) as threshold from settings) as shop
cross join lateral (
    (
        select product_id, name, price, category_id, stock, threshold
        from low_stock
        where listed
            and stock < threshold
            and (stock, product_id) > ($1, $2)
        order by stock, product_id
        limit $3
    )
    union all
    (
        select product_id, name, price, category_id, stock, threshold
        from low_stock
        where listed
            and threshold is null
            and stock < shop.threshold
            and (stock, product_id) > ($1, $2)
        order by stock, product_id
        limit $3
    )
) as product
join categories as category using (category_id)
order by product.stock, product.product_id
limit $3
