-- A product runs low by the event before: a stock event that took it from its threshold or above to below, or another
-- threshold.
select
    low.position,
    'Product/' || low.aggregate_id as subject,
    'a fall below the threshold by the event before' as expected,
    format('%s units with a threshold of %s after %s', low.stock, low.threshold, coalesce(cause.event_type, 'nothing'))
        as found
from (
    select position, aggregate_id, sequence,
        (payload ->> 'stock')::bigint as stock, (payload ->> 'threshold')::bigint as threshold
    from event_log
    where event_type = 'ProductRanLow'
) as low
left join (
    select aggregate_id, sequence, event_type,
        -- Null for another threshold, which leaves the stock as it is.
        case when event_type like 'Stock%' then
            greatest((payload ->> 'on_hand')::bigint - (payload ->> 'reserved')::bigint, 0)
        end as stock,
        case event_type
            when 'StockReserved' then
                (payload ->> 'on_hand')::bigint - (payload ->> 'reserved')::bigint + (payload ->> 'quantity')::bigint
            when 'StockCorrected' then
                (payload ->> 'on_hand')::bigint - (payload ->> 'reserved')::bigint - (payload ->> 'change')::bigint
        end as stock_before
    from event_log
    where aggregate_type = 'Product'
        and event_type in ('StockReserved', 'StockCorrected', 'ProductLowStockThresholdChanged')
) as cause on cause.aggregate_id = low.aggregate_id and cause.sequence = low.sequence - 1
where low.stock >= low.threshold
    or cause.event_type is null
    or cause.stock <> low.stock
    or cause.stock_before < low.threshold
