insert into carts as cart (cart_id, state, order_id, version, updated_at)
select distinct on (cart_id)
    cart_id,
    case event_type
        when 'CartCheckedOut' then 'checked_out'
        when 'CartMerged' then 'merged'
        when 'CartExpired' then 'expired'
        else 'open'
    end,
    order_id,
    sequence,
    recorded_at
from fact.cart_change
order by cart_id, position desc
on conflict (cart_id) do update
set state = excluded.state,
    order_id = excluded.order_id,
    version = excluded.version,
    updated_at = excluded.updated_at;
