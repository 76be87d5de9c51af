-- Stores an address that was given with an order or corrects one of the order's.
create function write_put_order_address(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
begin
    insert into order_address (
        order_id, kind, customer_id, name, line1, line2, postal_code, city, region, country, placed_at
    )
    select given.order_id, given.kind, given.customer_id, given.name, given.line1, given.line2, given.postal_code,
        given.city, given.region, given.country, changed
    from jsonb_to_record(change) as given (
        order_id bigint, kind text, customer_id bigint, name text, line1 text, line2 text, postal_code text, city text,
        region text, country text
    )
    on conflict (order_id, kind) do update
    set customer_id = excluded.customer_id, name = excluded.name, line1 = excluded.line1, line2 = excluded.line2,
        postal_code = excluded.postal_code, city = excluded.city, region = excluded.region, country = excluded.country,
        placed_at = excluded.placed_at;
end
$$;
