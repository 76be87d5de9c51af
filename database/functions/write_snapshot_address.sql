-- Copies an address of a customer to an order. It may have been changed since the order was decided: then its country,
-- which decides what the order costs, must still be the same.
create function write_snapshot_address(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
begin
    insert into order_address (
        order_id, kind, customer_id, name, line1, line2, postal_code, city, region, country, placed_at
    )
    select (change ->> 'order_id')::bigint, change ->> 'kind', address.customer_id, address.name, address.line1,
        address.line2, address.postal_code, address.city, address.region, address.country, changed
    from address
    where address.customer_id = (change ->> 'customer_id')::bigint
        and address.address_id = (change ->> 'address_id')::bigint
        and address.country = coalesce(change ->> 'country', address.country);
    if not found then
        raise exception 'the address was removed, or its country changed'
            using errcode = 'unique_violation', constraint = 'order_address_as_known';
    end if;
end
$$;
