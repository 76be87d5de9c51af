-- What a list shows of orders beside their own row: who ordered, and how many units; those of product $2 apart.
select
    placed.order_id,
    case
        when placed.customer_id is null then coalesce(contact.name, 'Guest')
        when profile.customer_id is null then 'Erased customer'
        else rtrim(profile.first_name || ' ' || profile.last_name)
    end as "customer_name!",
    placed.credited,
    units.ordered as "units!",
    case placed.status when 'cancelled' then 0 else units.kept end as "kept_units!",
    case placed.status when 'cancelled' then 0 else units.of_product end as "product_units!",
    (
        select address.city
        from order_address as address
        where address.order_id = placed.order_id and address.kind = 'shipping'
    ) as city
from orders as placed
left join customer_profile as profile using (customer_id)
left join order_contact as contact using (order_id)
cross join lateral (
    select
        coalesce(sum(line.quantity), 0)::bigint as ordered,
        coalesce(sum(line.quantity - line.withdrawn - line.returned), 0)::bigint as kept,
        coalesce(sum(line.quantity - line.withdrawn - line.returned) filter (where line.product_id = $2), 0)::bigint
            as of_product
    from order_lines as line
    where line.order_id = placed.order_id
) as units
where placed.order_id = any($1)
