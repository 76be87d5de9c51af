-- Stores the IMEI of a product, or replaces it.
create function write_put_imei(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
begin
    insert into product_imei (product_id, imei, stored_at)
    values ((change ->> 'product_id')::bigint, change ->> 'imei', changed)
    on conflict on constraint product_imei_pkey do update
    set imei = excluded.imei, stored_at = excluded.stored_at;
end
$$;
