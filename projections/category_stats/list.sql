select
    category_id,
    category_name,
    product_count,
    total_stock,
    coalesce(round(price_sum / nullif(product_count, 0), 2), 0) as "avg_price!",
    null::bigint as parent_id
from category_stats
where product_count <= $1
    and (product_count < $1 or (name_key, category_id) > ($2, $3))
order by product_count desc, name_key, category_id
limit $4
