-- Open orders that the units on hand cannot serve if orders are served by their numbers: by product, latest order first.
-- A page begins after the order $2 of the product $1, whose orders on earlier pages have $3 units.
select
    open.order_id as "order_id!",
    placed.placed_at,
    placed.customer_id,
    short.product_id as "product_id!",
    product.name as product_name,
    open.unshipped as "unshipped!",
    least(open.unshipped, short.missing - (open.upto - open.unshipped)) as "missing!",
    product.on_hand,
    product.reserved,
    open.upto as "upto!"
from (
    select product_id, missing
    from products_short
    where product_id >= $1
    order by product_id
    limit $4
) as short
join products as product using (product_id)
cross join lateral (
    select
        order_id,
        unshipped,
        (sum(unshipped) over (order by order_id desc))::bigint
            + case when short.product_id = $1 then $3::bigint else 0 end as upto
    from (
        select line.order_id, sum(line.quantity - line.shipped - line.withdrawn)::bigint as unshipped
        from order_lines as line
        where line.product_id = short.product_id
            and line.order_id < case when short.product_id = $1 then $2::bigint else 9223372036854775807 end
            and line.quantity > line.shipped + line.withdrawn
            and not line.cancelled
        group by line.order_id
        order by line.order_id desc
        limit $4
    ) as latest
) as open
join orders as placed on placed.order_id = open.order_id
where open.upto - open.unshipped < short.missing
order by short.product_id, open.order_id desc
limit $4
