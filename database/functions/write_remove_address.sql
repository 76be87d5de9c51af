-- Deletes an address of a customer.
create function write_remove_address(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
begin
    delete from address
    where address.customer_id = (change ->> 'customer_id')::bigint
        and address.address_id = (change ->> 'address_id')::bigint;
end
$$;
