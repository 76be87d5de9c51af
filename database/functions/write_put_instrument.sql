-- Stores the provider's token for an attempt to pay.
create function write_put_instrument(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
begin
    insert into payment_instrument (order_id, attempt, token, given_at)
    values ((change ->> 'order_id')::bigint, (change ->> 'attempt')::bigint, change ->> 'token', changed);
end
$$;
