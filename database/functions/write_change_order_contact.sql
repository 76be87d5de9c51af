-- Changes name or e-mail address of the guest of an order. A contact that is not there yet needs both.
create function write_change_order_contact(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
begin
    update order_contact as contact
    set name = coalesce(change ->> 'name', contact.name), email = coalesce(change ->> 'email', contact.email)
    where contact.order_id = (change ->> 'order_id')::bigint;
    if found then
        return;
    end if;
    if change ->> 'name' is null or change ->> 'email' is null then
        raise exception 'the contact of the order is incomplete'
            using errcode = 'unique_violation', constraint = 'order_contact_complete';
    end if;
    insert into order_contact (order_id, name, email, placed_at)
    values ((change ->> 'order_id')::bigint, change ->> 'name', change ->> 'email', changed);
end
$$;
