-- Deletes the personal data of a guest's order. The order and its sums stay.
create function write_forget_order_contact(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
declare
    forgotten bigint := change ->> 'order_id';
begin
    delete from unpaid_stock as held where held.order_id = forgotten;
    delete from entity_metadata as kept
    where kept.kind = 'order' and kept.id = forgotten::text and kept.customer_id is null;
    delete from order_contact where order_contact.order_id = forgotten;
    delete from order_address where order_address.order_id = forgotten and order_address.customer_id is null;
end
$$;
