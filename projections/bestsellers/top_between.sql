select
    best.product_id,
    product.name,
    product.price,
    best.units_sold as "total_sold!",
    best.revenue as "total_revenue!"
from (
    select product_id, sum(units_sold)::bigint as units_sold, sum(revenue) as revenue
    from bestsellers_by_day
    where day >= $6
        and day <= $7
    group by product_id
) as best
join products as product using (product_id)
where ($1::bigint is null or product.category_id = $1)
    and ($2::text is null or product.category_id in (select category_id from categories where lower(name) = lower($2)))
    and best.units_sold <= $3
    and (best.units_sold < $3 or best.product_id > $4)
order by best.units_sold desc, best.product_id
limit $5
