-- Stores the address that a guest gave with an order.
create function write_put_order_address(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
begin
    insert into order_address (
        order_id, kind, name, line1, line2, postal_code, city, region, country, placed_at
    )
    select given.order_id, given.kind, given.name, given.line1, given.line2, given.postal_code, given.city,
        given.region, given.country, changed
    from jsonb_to_record(change) as given (
        order_id bigint, kind text, name text, line1 text, line2 text, postal_code text, city text, region text,
        country text
    );
end
$$;
