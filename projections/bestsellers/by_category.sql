-- Units sold from $1 to $2, by the category that each product has now. Whole months from their sums: $3 is the first day of the
-- first whole month, and $4 the first day after the last.
select
    category.category_id,
    category.name as category_name,
    sum(part.units_sold)::bigint as "units!",
    sum(part.revenue) as "revenue!"
from (
    select product_id, units_sold, revenue
    from bestsellers_by_month
    where month >= $3
        and month < $4
    union all
    select product_id, units_sold, revenue
    from bestsellers_by_day
    where day >= $1
        and day <= $2
        and day < $3
    union all
    select product_id, units_sold, revenue
    from bestsellers_by_day
    where day >= greatest($3, $4)
        and day <= $2
) as part
join products as product using (product_id)
join categories as category using (category_id)
group by category.category_id, category.name
order by sum(part.revenue) desc, category.category_id
limit $5
