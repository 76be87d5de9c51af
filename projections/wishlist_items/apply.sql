delete from wishlist_items as item
using fact.wishlist_change as event
where item.customer_id = event.customer_id
    and event.product_id is null;

with change as (
    select customer_id, product_id, added, position, recorded_at,
        max(position) filter (where product_id is null) over (partition by customer_id) as emptied_at
    from fact.wishlist_change
),
last as (
    select distinct on (customer_id, product_id) customer_id, product_id, added, position, recorded_at
    from change
    where product_id is not null
        and (emptied_at is null or position > emptied_at)
    order by customer_id, product_id, position desc
),
removed as (
    delete from wishlist_items as item
    using last
    where not last.added
        and item.customer_id = last.customer_id
        and item.product_id = last.product_id
)
insert into wishlist_items as item (customer_id, product_id, added_at, position)
select customer_id, product_id, recorded_at, position
from last
where added
on conflict (customer_id, product_id) do update
set added_at = excluded.added_at, position = excluded.position;
