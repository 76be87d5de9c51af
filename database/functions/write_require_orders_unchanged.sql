-- Refuses the commit if an order of the customer was placed or changed after a position of the log. Stores nothing.
-- The events of the commit itself count: they are stored before the side writes.
create function write_require_orders_unchanged(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
begin
    perform from event_log as later
    join event_log as placed
        on placed.aggregate_type = later.aggregate_type and placed.aggregate_id = later.aggregate_id and placed.sequence = 1
    where later.position > (change ->> 'after')::bigint
        and later.aggregate_type = 'Order'
        and placed.payload ->> 'customer_id' = change ->> 'customer_id';
    if found then
        raise exception 'an order of the customer has changed'
            using errcode = 'unique_violation', constraint = 'customer_orders_as_known';
    end if;
end
$$;
