-- A line ships and cancels at most the units that were ordered, and takes back at most those that it shipped.
-- An order with nothing left to ship is shipped, or cancelled if nothing was shipped.
with ordered as (
    select placed.aggregate_id as order_id, line.line, line.quantity
    from event_log as placed
    cross join lateral jsonb_to_recordset(placed.payload -> 'lines') as line (line bigint, quantity bigint)
    where placed.aggregate_type = 'Order' and placed.event_type = 'OrderPlaced'
), life as (
    select aggregate_id as order_id, max(position) as position,
        bool_or(event_type = 'OrderCancelled') as cancelled,
        bool_or(event_type = 'OrderShipped') as shipped,
        -- Events without shipments: the whole order shipped at once.
        bool_or(event_type = 'OrderShipped' and not payload ? 'fulfilment') as sent_at_once
    from event_log
    where aggregate_type = 'Order'
    group by aggregate_id
), moved as (
    select event.aggregate_id as order_id, line.line,
        coalesce(sum(line.quantity) filter (where event.event_type = 'OrderShipmentSent'), 0) as sent,
        coalesce(sum(case event.event_type
            when 'OrderUnitsCancelled' then line.quantity
            when 'OrderReturned' then line.withdrawn
        end), 0) as cancelled,
        coalesce(sum(line.quantity - line.withdrawn) filter (where event.event_type = 'OrderReturned'), 0) as returned
    from event_log as event
    cross join lateral jsonb_to_recordset(event.payload -> 'lines')
        as line (line bigint, quantity bigint, withdrawn bigint)
    where event.aggregate_type = 'Order'
        and event.event_type in ('OrderShipmentSent', 'OrderUnitsCancelled', 'OrderReturned')
    group by event.aggregate_id, line.line
), units as (
    select order_id, line, life.position, life.cancelled as order_cancelled, life.shipped as order_shipped,
        ordered.quantity, coalesce(moved.cancelled, 0) as cancelled, coalesce(moved.returned, 0) as returned,
        case
            when sent_at_once then ordered.quantity - coalesce(moved.cancelled, 0)
            else coalesce(moved.sent, 0)
        end as sent
    from ordered
    join life using (order_id)
    left join moved using (order_id, line)
)
select
    position,
    format('Order/%s, line %s', order_id, line) as subject,
    'returned <= shipped, shipped and cancelled <= ' || quantity as expected,
    format('%s shipped, %s cancelled, %s returned', sent, cancelled, returned) as found
from units
where sent + cancelled > quantity
    or returned > sent
union all
select
    position,
    'Order/' || order_id,
    case when sum(sent) > 0 then 'shipped' else 'cancelled' end || ', because nothing is left to ship',
    'still open'
from units
where not order_cancelled
group by order_id, position, order_shipped
having sum(quantity - sent - cancelled) = 0
    and not order_shipped
