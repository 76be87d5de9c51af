-- Changes the fields of an address that are given; an empty text clears an optional line. The address must end with a
-- postal code, unless its country is among those without; addresses of earlier rules change in other fields only.
create function write_change_address(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
begin
    update address
    set name = coalesce(change ->> 'name', address.name),
        line1 = coalesce(change ->> 'line1', address.line1),
        line2 = nullif(coalesce(change ->> 'line2', address.line2), ''),
        postal_code = coalesce(change ->> 'postal_code', address.postal_code),
        city = coalesce(change ->> 'city', address.city),
        region = nullif(coalesce(change ->> 'region', address.region), ''),
        country = coalesce(change ->> 'country', address.country),
        changed_at = changed
    where address.customer_id = (change ->> 'customer_id')::bigint
        and address.address_id = (change ->> 'address_id')::bigint;
    if change ?| '{country,postal_code}' and exists (
        select from address
        where address.customer_id = (change ->> 'customer_id')::bigint
            and address.address_id = (change ->> 'address_id')::bigint
            and address.postal_code = ''
            and not change -> 'without_postal_codes' ? address.country
    ) then
        raise exception 'the address needs a postal code'
            using errcode = 'unique_violation', constraint = 'address_postal_code';
    end if;
end
$$;
