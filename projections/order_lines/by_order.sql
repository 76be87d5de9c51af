select
    line.order_id,
    placed.placed_at,
    case
        when placed.customer_id is null then 'Guest'
        when profile.customer_id is null then 'Erased customer'
        else rtrim(profile.first_name || ' ' || profile.last_name)
    end as "customer_name!",
    line.line,
    line.product_id,
    line.product_name,
    line.quantity,
    line.unit_price as price_per_unit,
    line.subtotal,
    line.discount,
    line.tax_rate,
    line.tax,
    line.total,
    line.shipped,
    line.withdrawn,
    line.returned,
    placed.version,
    customer.version as "customer_version?"
from order_lines as line
join orders as placed using (order_id)
left join customers as customer using (customer_id)
left join customer_profile as profile using (customer_id)
where line.order_id = $1
order by line.line
limit 2000
