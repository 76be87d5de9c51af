-- At every position the money of an order adds up: the total is the sum of its parts, refunds do not exceed payments,
-- its value is never negative, and each amount matches its events.
with step as (
    select position, aggregate_id as order_id, event_type, payload,
        case when event_type in ('OrderPaid', 'OrderPartiallyPaid') then (payload ->> 'amount')::numeric else 0 end
            as paid,
        case when event_type = 'OrderRefunded' then (payload ->> 'amount')::numeric else 0 end as refunded,
        case
            when event_type in ('OrderReturned', 'OrderRefunded', 'OrderUnitsCancelled')
                then (payload ->> 'credit')::numeric
            when event_type = 'OrderCancelled' then (payload ->> 'total')::numeric
            else 0
        end as credited,
        case when event_type = 'OrderPlaced' then (payload ->> 'total')::numeric end as total
    from event_log
    where aggregate_type = 'Order'
), running as (
    select position, order_id, event_type, payload,
        max(total) over so_far as total,
        sum(paid) over so_far as paid,
        sum(refunded) over so_far as refunded,
        sum(credited) over so_far as credited
    from step
    window so_far as (partition by order_id order by position)
)
select
    position,
    'Order/' || order_id as subject,
    'refunded <= paid, credited <= total, nothing left of a cancelled order' as expected,
    format('total %s, credited %s, paid %s, refunded %s', total, credited, paid, refunded) as found
from running
where refunded > paid
    or credited > total
    or event_type = 'OrderCancelled' and credited <> total
union all
select position, 'Order/' || order_id, format('%s still due', total - credited - (paid - refunded)),
    format('%s still due', payload ->> 'due')
from running
where event_type = 'OrderPartiallyPaid'
    and (payload ->> 'due')::numeric is distinct from nullif(total - credited - (paid - refunded), 0)
union all
select position, 'Order/' || order_id, format('a total of %s, as its parts', parts), format('a total of %s', total)
from running
cross join lateral (
    select case
        when payload ? 'pricing' then
            sum((line ->> 'total')::numeric)
            + (payload #>> '{pricing,shipping}')::numeric
            + case
                when (payload #>> '{pricing,prices_include_tax}')::boolean then 0
                else (payload #>> '{pricing,shipping_tax}')::numeric
            end
        else sum((line ->> 'quantity')::bigint * (line ->> 'unit_price')::numeric)
    end as parts
    from jsonb_array_elements(payload -> 'lines') as line
) as placed
where event_type = 'OrderPlaced'
    and total is distinct from parts
