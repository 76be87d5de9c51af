-- Refuses the commit unless the order has a shipping address. Stores nothing.
create function write_require_shipping_address(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
begin
    perform from order_address
    where order_address.order_id = (change ->> 'order_id')::bigint and order_address.kind = 'shipping';
    if not found then
        raise exception 'the order has no shipping address'
            using errcode = 'unique_violation', constraint = 'order_has_shipping_address';
    end if;
end
$$;
