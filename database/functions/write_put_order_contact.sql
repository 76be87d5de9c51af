-- Stores the name and e-mail address of the guest who placed an order.
create function write_put_order_contact(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
begin
    insert into order_contact (order_id, name, email, placed_at)
    select given.order_id, given.name, given.email, changed
    from jsonb_to_record(change) as given (order_id bigint, name text, email text);
end
$$;
