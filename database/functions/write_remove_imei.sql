-- Deletes the IMEI of a product.
create function write_remove_imei(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
begin
    delete from product_imei
    where product_imei.product_id = (change ->> 'product_id')::bigint;
end
$$;
