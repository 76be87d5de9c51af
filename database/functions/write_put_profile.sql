-- Stores the profile of a new customer.
create function write_put_profile(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
begin
    insert into customer_profile (customer_id, first_name, last_name, email, changed_at)
    select given.customer_id, given.first_name, given.last_name, given.email, changed
    from jsonb_to_record(change) as given (customer_id bigint, first_name text, last_name text, email text);
end
$$;
