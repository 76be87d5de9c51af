-- Whole months from their sums, the other days one by one: $7 is the first day of the first whole month, and $8 the first day
-- after the last.
select
    product.product_id,
    product.name,
    product.price,
    best.units_sold as "total_sold!",
    best.revenue as "total_revenue!"
from (
    select product_id, sum(units_sold)::bigint as units_sold, sum(revenue) as revenue
    from (
        select product_id, units_sold, revenue
        from bestsellers_by_month
        where month >= $7
            and month < $8
        union all
        select product_id, units_sold, revenue
        from bestsellers_by_day
        where day >= $5
            and day <= $6
            and day < $7
        union all
        select product_id, units_sold, revenue
        from bestsellers_by_day
        where day >= greatest($7, $8)
            and day <= $6
    ) as part
    group by product_id
) as best
join products as product using (product_id)
where ($1::bigint[] is null or product.category_id = any($1))
    and best.units_sold <= $2
    and (best.units_sold < $2 or best.product_id > $3)
order by best.units_sold desc, best.product_id
limit $4
