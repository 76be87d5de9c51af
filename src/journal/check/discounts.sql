-- An order with a discount code uses that discount once, and releases it when it is cancelled; nothing else uses it.
-- A use exceeds neither the total limit nor the customer's limit, as they are at that moment.
with ordered as (
    select position, aggregate_id as order_id, payload #>> '{pricing,discount_code}' as code
    from event_log
    where event_type = 'OrderPlaced' and payload #>> '{pricing,discount_code}' is not null
), cancelled as (
    select aggregate_id as order_id
    from event_log
    where event_type = 'OrderCancelled'
), step as (
    select position, aggregate_id as code, event_type, payload ->> 'order_id' as order_id,
        payload ->> 'customer_id' as customer_id, payload,
        case event_type when 'DiscountUsed' then 1 when 'DiscountReleased' then -1 else 0 end as change,
        count(*) filter (where event_type in ('DiscountCreated', 'DiscountChanged'))
            over (partition by aggregate_id order by position) as version
    from event_log
    where aggregate_type = 'Discount'
), running as (
    select position, code, event_type, order_id, customer_id,
        sum(change) over (partition by code order by position) as uses,
        sum(change) over (partition by code, customer_id order by position) as uses_by_customer,
        max((payload ->> 'total_limit')::bigint) over (partition by code, version) as total_limit,
        max((payload ->> 'customer_limit')::bigint) over (partition by code, version) as customer_limit
    from step
), stored as (
    select code, order_id, max(position) as position,
        count(*) filter (where event_type = 'DiscountUsed') as used,
        count(*) filter (where event_type = 'DiscountReleased') as released
    from step
    where order_id is not null
    group by code, order_id
), wanted as (
    select ordered.code, ordered.order_id, ordered.position, 1 as used,
        case when cancelled.order_id is null then 0 else 1 end as released
    from ordered
    left join cancelled using (order_id)
)
select
    coalesce(stored.position, wanted.position) as position,
    format('Discount/%s, Order/%s', code, order_id) as subject,
    format('used %s times, released %s times', coalesce(wanted.used, 0), coalesce(wanted.released, 0)) as expected,
    format('used %s times, released %s times', coalesce(stored.used, 0), coalesce(stored.released, 0)) as found
from wanted
full join stored using (code, order_id)
where (wanted.used, wanted.released) is distinct from (stored.used, stored.released)
union all
select
    position,
    format('Discount/%s, Order/%s', code, order_id),
    format('at most %s uses, %s by the customer', coalesce(total_limit::text, 'any number of'), coalesce(customer_limit::text, 'any number')),
    format('%s uses, %s by the customer', uses, uses_by_customer)
from running
where event_type = 'DiscountUsed'
    and (uses > total_limit or uses_by_customer > customer_limit or customer_limit is not null and customer_id is null)
