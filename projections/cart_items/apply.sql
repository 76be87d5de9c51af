delete from cart_items as item
using fact.cart_change as event
where item.cart_id = event.cart_id
    and event.event_type in ('CartEmptied', 'CartMerged', 'CartCheckedOut', 'CartExpired');

with change as (
    select cart_id, product_id, new_quantity, position,
        max(position) filter (where event_type in ('CartEmptied', 'CartMerged', 'CartCheckedOut', 'CartExpired'))
            over (partition by cart_id) as cleared_at
    from fact.cart_change
),
last as (
    select distinct on (cart_id, product_id) cart_id, product_id, new_quantity
    from change
    where product_id is not null
        and (cleared_at is null or position > cleared_at)
    order by cart_id, product_id, position desc
),
removed as (
    delete from cart_items as item
    using last
    where last.new_quantity = 0
        and item.cart_id = last.cart_id
        and item.product_id = last.product_id
)
insert into cart_items as item (cart_id, product_id, quantity)
select cart_id, product_id, new_quantity
from last
where new_quantity > 0
on conflict (cart_id, product_id) do update
set quantity = excluded.quantity;
