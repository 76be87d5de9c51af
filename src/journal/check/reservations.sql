-- An order reserves exactly what it holds: a pending or processing one still, a shipped or completed one until all was
-- shipped, a cancelled one until all was released. Nothing else is reserved, so what is reserved of a product at the end
-- of the log is what its open orders hold.
with ordered as (
    select placed.position, placed.aggregate_id as order_id, line.product_id, sum(line.quantity) as units
    from events as placed
    cross join lateral jsonb_to_recordset(placed.payload -> 'lines') as line (product_id bigint, quantity bigint)
    where placed.aggregate_type = 'Order' and placed.event_type = 'OrderPlaced'
    group by placed.position, placed.aggregate_id, line.product_id
), moved as (
    select distinct on (aggregate_id) aggregate_id as order_id, position, event_type
    from events
    where aggregate_type = 'Order'
    order by aggregate_id, position desc
), wanted as (
    select ordered.order_id, ordered.product_id, moved.position, ordered.units as reserved,
        case when moved.event_type = 'OrderCancelled' then ordered.units else 0 end as released,
        case when moved.event_type in ('OrderShipped', 'OrderCompleted') then ordered.units else 0 end as shipped
    from ordered
    join moved using (order_id)
), stored as (
    select payload ->> 'order_id' as order_id, aggregate_id::bigint as product_id, max(position) as position,
        coalesce(sum((payload ->> 'quantity')::bigint) filter (where event_type = 'StockReserved'), 0) as reserved,
        coalesce(sum((payload ->> 'quantity')::bigint) filter (where event_type = 'StockReleased'), 0) as released,
        coalesce(sum((payload ->> 'quantity')::bigint) filter (where event_type = 'StockShipped'), 0) as shipped
    from events
    where aggregate_type = 'Product' and event_type in ('StockReserved', 'StockReleased', 'StockShipped')
    group by payload ->> 'order_id', aggregate_id
)
select
    coalesce(stored.position, wanted.position) as position,
    format('Order/%s, Product/%s', order_id, product_id) as subject,
    case
        when wanted.reserved is null then 'no such line, so nothing reserved'
        else format('%s reserved, %s released, %s shipped', wanted.reserved, wanted.released, wanted.shipped)
    end as expected,
    case
        when stored.reserved is null then 'nothing reserved'
        else format('%s reserved, %s released, %s shipped', stored.reserved, stored.released, stored.shipped)
    end as found
from wanted
full join stored using (order_id, product_id)
where (wanted.reserved, wanted.released, wanted.shipped)
    is distinct from (stored.reserved, stored.released, stored.shipped)
