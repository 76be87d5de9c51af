-- What a list shows of orders beside their own row: who ordered, and how many units.
select
    placed.order_id,
    case
        when placed.customer_id is null then coalesce(contact.name, 'Guest')
        when profile.customer_id is null then 'Erased customer'
        else rtrim(profile.first_name || ' ' || profile.last_name)
    end as "customer_name!",
    (
        select coalesce(sum(line.quantity), 0)::bigint
        from order_lines as line
        where line.order_id = placed.order_id
    ) as "units!",
    (
        select address.city
        from order_address as address
        where address.order_id = placed.order_id and address.kind = 'shipping'
    ) as city
from orders as placed
left join customer_profile as profile using (customer_id)
left join order_contact as contact using (order_id)
where placed.order_id = any($1)
