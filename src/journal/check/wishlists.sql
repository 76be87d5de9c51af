-- A product is added to a wishlist that lacks it and removed from one that holds it; a wishlist has at most 500 products.
with change as (
    select position, aggregate_id, sequence, event_type, payload ->> 'product_id' as product_id,
        case event_type when 'WishlistItemAdded' then 1 else -1 end as step,
        count(*) filter (where event_type = 'WishlistEmptied') over (partition by aggregate_id order by sequence) as era
    from event_log
    where event_type in ('WishlistItemAdded', 'WishlistItemRemoved', 'WishlistEmptied')
),
counted as (
    select position, aggregate_id, product_id,
        sum(step) over (partition by aggregate_id, era, product_id order by sequence) as held,
        sum(step) over (partition by aggregate_id, era order by sequence) as products
    from change
    where event_type <> 'WishlistEmptied'
)
select
    position,
    'Wishlist/' || aggregate_id || ', product ' || product_id as subject,
    'once or not at all, among at most 500' as expected,
    held || ' times, among ' || products as found
from counted
where held not in (0, 1) or products > 500
