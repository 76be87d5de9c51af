-- A checkout turns one cart, filled since its last checkout, into one order, placed by the same command.
with cart as (
    select position, aggregate_id as cart_id, event_type, payload ->> 'order_id' as order_id,
        metadata ->> 'causation_id' as command_id,
        lag(event_type) over (partition by aggregate_id order by position) as previous
    from event_log
    where aggregate_type = 'Cart' and event_type <> 'CartMetadataChanged'
), placed as (
    select aggregate_id as order_id, metadata ->> 'causation_id' as command_id
    from event_log
    where aggregate_type = 'Order' and event_type = 'OrderPlaced'
), checkout as (
    select cart.*, placed.command_id as placed_by,
        count(*) over (partition by cart.order_id) as carts,
        min(cart.position) over (partition by cart.order_id) as first_position
    from cart
    left join placed using (order_id)
    where cart.event_type = 'CartCheckedOut'
)
select
    position,
    'Cart/' || cart_id as subject,
    format('Order/%s is placed by the same command, for this cart alone, filled since its last checkout', order_id)
        as expected,
    case
        when previous is null or previous not in ('CartItemAdded', 'CartItemQuantityChanged', 'CartItemRemoved')
            then coalesce('the event before it is ' || previous, 'no event before it')
        when carts > 1 and position > first_position then 'position ' || first_position || ' checked out another cart'
        when placed_by is null then 'no such order'
        else 'another command placed it'
    end as found
from checkout
where previous is null
    or previous not in ('CartItemAdded', 'CartItemQuantityChanged', 'CartItemRemoved')
    or carts > 1 and position > first_position
    or command_id is distinct from placed_by
