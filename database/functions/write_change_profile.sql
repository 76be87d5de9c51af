-- Changes the fields of a profile that are given. Refuses to change the e-mail address of a customer with an account:
-- `write_change_email` does, once the owner of the new address has used a mailed link.
create function write_change_profile(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
declare
    changed_customer bigint := change ->> 'customer_id';
    new_email text := change ->> 'email';
begin
    if exists (
        select from customer_profile as profile
        join account using (customer_id)
        where profile.customer_id = changed_customer and profile.email <> new_email
    ) then
        raise exception 'the customer has an account'
            using errcode = 'unique_violation', constraint = 'customer_profile_email_of_account';
    end if;
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
end
$$;
