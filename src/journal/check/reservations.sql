-- An order reserves its units, releases those that are cancelled before they ship, and releases the rest when it is
-- cancelled. Shipped units leave the stock; restockable returns enter it again. Nothing else reserves units, so the
-- reserved units of a product at the end of the log are those of its open orders.
with ordered as (
    select placed.position, placed.aggregate_id as order_id, line.product_id, sum(line.quantity) as units
    from event_log as placed
    cross join lateral jsonb_to_recordset(placed.payload -> 'lines') as line (product_id bigint, quantity bigint)
    where placed.aggregate_type = 'Order' and placed.event_type = 'OrderPlaced'
    group by placed.position, placed.aggregate_id, line.product_id
), life as (
    select aggregate_id as order_id, max(position) as position,
        bool_or(event_type = 'OrderCancelled') as cancelled,
        -- Events without shipments: the whole order shipped at once.
        bool_or(event_type = 'OrderShipped' and not payload ? 'fulfilment') as sent_at_once
    from event_log
    where aggregate_type = 'Order'
    group by aggregate_id
), sent as (
    select event.aggregate_id as order_id, line.product_id, sum(line.quantity) as units
    from event_log as event
    cross join lateral jsonb_to_recordset(event.payload -> 'lines') as line (product_id bigint, quantity bigint)
    where event.aggregate_type = 'Order' and event.event_type = 'OrderShipmentSent'
    group by event.aggregate_id, line.product_id
), back as (
    -- Older returns have units that were withdrawn; cancelled units never left, so nothing of them comes back.
    select event.aggregate_id as order_id, line.product_id,
        sum(case event.event_type when 'OrderUnitsCancelled' then line.quantity else line.withdrawn end) as withdrawn,
        coalesce(sum(line.quantity - line.withdrawn) filter (where line.restocked), 0) as restocked
    from event_log as event
    cross join lateral jsonb_to_recordset(event.payload -> 'lines')
        as line (product_id bigint, quantity bigint, withdrawn bigint, restocked boolean)
    where event.aggregate_type = 'Order' and event.event_type in ('OrderReturned', 'OrderUnitsCancelled')
    group by event.aggregate_id, line.product_id
), wanted as (
    select order_id, product_id, life.position, ordered.units as reserved,
        case when cancelled then ordered.units else coalesce(back.withdrawn, 0) end as released,
        case when sent_at_once then ordered.units else coalesce(sent.units, 0) end as shipped,
        coalesce(back.restocked, 0) as returned
    from ordered
    join life using (order_id)
    left join sent using (order_id, product_id)
    left join back using (order_id, product_id)
), stored as (
    select payload ->> 'order_id' as order_id, aggregate_id::bigint as product_id, max(position) as position,
        coalesce(sum((payload ->> 'quantity')::bigint) filter (where event_type = 'StockReserved'), 0) as reserved,
        coalesce(sum((payload ->> 'quantity')::bigint) filter (where event_type = 'StockReleased'), 0) as released,
        coalesce(sum((payload ->> 'quantity')::bigint) filter (where event_type = 'StockShipped'), 0) as shipped,
        coalesce(sum((payload ->> 'quantity')::bigint) filter (where event_type = 'StockReturned'), 0) as returned
    from event_log
    where aggregate_type = 'Product'
        and event_type in ('StockReserved', 'StockReleased', 'StockShipped', 'StockReturned')
    group by payload ->> 'order_id', aggregate_id
)
select
    coalesce(stored.position, wanted.position) as position,
    format('Order/%s, Product/%s', order_id, product_id) as subject,
    case
        when wanted.reserved is null then 'no such line, so nothing reserved'
        else format('%s reserved, %s released, %s shipped, %s returned',
            wanted.reserved, wanted.released, wanted.shipped, wanted.returned)
    end as expected,
    case
        when stored.reserved is null then 'nothing reserved'
        else format('%s reserved, %s released, %s shipped, %s returned',
            stored.reserved, stored.released, stored.shipped, stored.returned)
    end as found
from wanted
full join stored using (order_id, product_id)
where (wanted.reserved, wanted.released, wanted.shipped, wanted.returned)
    is distinct from (stored.reserved, stored.released, stored.shipped, stored.returned)
