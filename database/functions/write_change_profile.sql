-- Changes the fields of a profile that are given, and the e-mail address of the customer's account with it.
create function write_change_profile(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
declare
    changed_customer bigint := change ->> 'customer_id';
    new_email text := change ->> 'email';
begin
    -- Links that were mailed to the previous address would outlive it.
    delete from mailed_link as link using customer_profile as profile
    where profile.customer_id = changed_customer and new_email is not null
        and lower(link.email) = lower(profile.email) and lower(link.email) <> lower(new_email);
    update customer_profile as profile
    set first_name = coalesce(change ->> 'first_name', profile.first_name),
        last_name = coalesce(change ->> 'last_name', profile.last_name),
        email = coalesce(new_email, profile.email),
        changed_at = changed
    where profile.customer_id = changed_customer;
    update account set email = new_email
    where account.customer_id = changed_customer and new_email is not null;
end
$$;
