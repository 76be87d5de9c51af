-- Stores a new address of a customer.
create function write_put_address(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
begin
    insert into address (
        customer_id, address_id, name, line1, line2, postal_code, city, region, country, changed_at
    )
    select given.customer_id, given.address_id, given.name, given.line1, given.line2, given.postal_code, given.city,
        given.region, given.country, changed
    from jsonb_to_record(change) as given (
        customer_id bigint, address_id bigint, name text, line1 text, line2 text, postal_code text, city text,
        region text, country text
    );
end
$$;
