-- Counts the units of a buyer's unpaid order for the customer, or for the guest's e-mail address and network, and for the
-- shipping address. Refuses the order if one of them would hold more than its bound; a network, which many guests may
-- share, has ten times that of the others. Appends are in sequence, so no two
-- orders can pass the bound together.
create function write_hold_unpaid(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
declare
    held_order bigint := change ->> 'order_id';
    held_units bigint := change ->> 'units';
    bound bigint := change ->> 'bound';
    holders bytea[];
    bounds bigint[];
begin
    select array_agg(unpaid_holder(named.kind, named.value)),
        array_agg(case named.kind when 'network' then bound * 10 else bound end)
    into holders, bounds
    from (
        select 'customer' as kind, change ->> 'customer_id' as value
        union all
        select 'network', change ->> 'network'
        union all
        select 'email', lower(contact.email) from order_contact as contact where contact.order_id = held_order
        union all
        select 'address', lower(regexp_replace(
            concat_ws('|', address.line1, address.line2, address.postal_code, address.city, address.country),
            '\s', '', 'g'
        ))
        from order_address as address
        where address.order_id = held_order and address.kind = 'shipping'
    ) as named
    where named.value is not null;
    if exists (
        select
        from unnest(holders, bounds) as named (holder, bound)
        where named.bound < held_units + coalesce(
            (select sum(held.units) from unpaid_stock as held where held.holder = named.holder), 0
        )
    ) then
        raise exception 'a buyer would hold more unpaid units than the bound'
            using errcode = 'unique_violation', constraint = 'unpaid_stock_bound';
    end if;
    insert into unpaid_stock (holder, order_id, units)
    select holder, held_order, held_units from unnest(holders) as holder;
end
$$;
