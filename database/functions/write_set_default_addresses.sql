-- Marks the default addresses of a customer; null for none. The previous ones are unmarked first, because there is at most
-- one of each kind at any time.
create function write_set_default_addresses(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
declare
    owner bigint := change ->> 'customer_id';
    shipping bigint := change ->> 'shipping';
    billing bigint := change ->> 'billing';
begin
    update address
    set default_shipping = address.default_shipping and address.address_id is not distinct from shipping,
        default_billing = address.default_billing and address.address_id is not distinct from billing,
        changed_at = changed
    where address.customer_id = owner
        and (address.default_shipping or address.default_billing);
    update address
    set default_shipping = address.default_shipping or address.address_id is not distinct from shipping,
        default_billing = address.default_billing or address.address_id is not distinct from billing,
        changed_at = changed
    where address.customer_id = owner
        and address.address_id in (shipping, billing);
end
$$;
