-- Figures of each category together with all categories below it.
with recursive place as (
    select category_id, category_id as above_id
    from categories
    union all
    select place.category_id, above.parent_id
    from place
    join categories as above on above.category_id = place.above_id
    where above.parent_id is not null
),
summed as (
    select place.above_id as category_id, sum(stats.product_count)::bigint as product_count,
        sum(stats.total_stock)::bigint as total_stock, sum(stats.price_sum) as price_sum
    from place
    join category_stats as stats using (category_id)
    group by place.above_id
)
select
    summed.category_id as "category_id!",
    category.name as category_name,
    summed.product_count as "product_count!",
    summed.total_stock as "total_stock!",
    coalesce(round(summed.price_sum / nullif(summed.product_count, 0), 2), 0) as "avg_price!",
    category.parent_id
from summed
join categories as category using (category_id)
where summed.product_count <= $1
    and (summed.product_count < $1 or (category.name_key, category.category_id) > ($2, $3))
order by summed.product_count desc, category.name_key, category.category_id
limit $4
