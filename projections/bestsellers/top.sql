select
    best.product_id,
    product.name,
    product.price,
    best.units_sold as total_sold,
    best.revenue as total_revenue
from bestsellers as best
join products as product using (product_id)
where ($1::bigint[] is null or product.category_id = any($1))
    and best.units_sold <= $2
    and (best.units_sold < $2 or best.product_id > $3)
order by best.units_sold desc, best.product_id
limit $4
