-- Sets the units that an unpaid order still holds; without any, or once it is paid, it holds nothing.
create function write_release_unpaid(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
declare
    held_order bigint := change ->> 'order_id';
    held_units bigint := change ->> 'units';
begin
    if held_units > 0 then
        update unpaid_stock as held set units = held_units where held.order_id = held_order;
    else
        delete from unpaid_stock as held where held.order_id = held_order;
    end if;
end
$$;
