-- An order that is paid online is captured before it ships: fully, or nothing is due any more.
-- Older versions shipped after an authorisation, so shipments up to the position in `log_rule_start` are not checked.
with step as (
    select position, aggregate_id as order_id, event_type,
        case event_type
            when 'OrderPlaced' then payload ->> 'payment_method' <> 'invoice'
            when 'OrderPaymentRequested' then payload ->> 'method' <> 'invoice'
        end as online,
        event_type in ('OrderPaid', 'OrderRefunded') as received,
        case when event_type = 'OrderPlaced' then (payload ->> 'total')::numeric else 0 end
            - case
                when event_type in ('OrderReturned', 'OrderRefunded', 'OrderUnitsCancelled')
                    then (payload ->> 'credit')::numeric
                else 0
            end
            - case when event_type in ('OrderPaid', 'OrderPartiallyPaid') then (payload ->> 'amount')::numeric else 0 end
            + case when event_type = 'OrderRefunded' then (payload ->> 'amount')::numeric else 0 end as due
    from event_log
    where aggregate_type = 'Order'
), running as (
    select position, order_id, event_type,
        bool_or(online) over so_far as online,
        bool_or(received) over so_far as received,
        sum(due) over so_far as due
    from step
    window so_far as (partition by order_id order by position)
)
select
    position,
    'Order/' || order_id as subject,
    'its online payment is captured before it ships' as expected,
    format('%s due', due) as found
from running
where event_type = 'OrderShipmentSent'
    and online
    and not received
    and due > 0
    and position > coalesce((select position from log_rule_start where rule = 'captures'), 0)
