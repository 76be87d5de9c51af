-- Deletes a customer's profile with everything that depends on it: account, sessions, mailed links, addresses.
create function write_forget_customer(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
declare
    forgotten bigint := change ->> 'customer_id';
begin
    delete from unpaid_stock as held
    where held.order_id in (
        select own.order_id from unpaid_stock as own where own.holder = unpaid_holder('customer', forgotten::text)
    );
    delete from mailed_link as link using customer_profile as profile
    where profile.customer_id = forgotten and lower(link.email) = lower(profile.email);
    perform end_sessions(account.account_id, changed, null) from account where account.customer_id = forgotten;
    delete from account where account.customer_id = forgotten;
    delete from customer_profile as profile where profile.customer_id = forgotten;
end
$$;
