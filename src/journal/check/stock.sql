-- At every position the stock events of a product add up to the figures in the event, and neither is negative. A
-- reservation never exceeds what was on hand then; only a later count may leave less on hand than is reserved.
with change as (
    select position, aggregate_id as product_id, event_type,
        (payload ->> 'on_hand')::bigint as on_hand,
        (payload ->> 'reserved')::bigint as reserved,
        coalesce(payload ->> 'quantity', payload ->> 'change')::bigint as units
    from event_log
    where aggregate_type = 'Product'
        and event_type in (
            'StockReceived', 'StockCorrected', 'StockReserved', 'StockReleased', 'StockShipped', 'StockReturned'
        )
), running as (
    select position, product_id, event_type, on_hand, reserved,
        sum(case event_type
            when 'StockReceived' then units
            when 'StockCorrected' then units
            when 'StockShipped' then -units
            when 'StockReturned' then units
            else 0
        end) over so_far as on_hand_so_far,
        sum(case event_type
            when 'StockReserved' then units
            when 'StockReleased' then -units
            when 'StockShipped' then -units
            else 0
        end) over so_far as reserved_so_far
    from change
    window so_far as (partition by product_id order by position)
)
select
    position,
    'Product/' || product_id as subject,
    case
        when event_type = 'StockReserved' and on_hand_so_far < reserved_so_far
            then format('at most %s reserved', on_hand_so_far)
        else format('%s on hand and %s reserved, not below 0', on_hand_so_far, reserved_so_far)
    end as expected,
    format('%s on hand and %s reserved', on_hand, reserved) as found
from running
where (on_hand, reserved) is distinct from (on_hand_so_far, reserved_so_far)
    or reserved_so_far < 0
    or on_hand_so_far < 0
    or event_type = 'StockReserved' and on_hand_so_far < reserved_so_far
