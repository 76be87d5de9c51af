-- Sets the e-mail address of an account and of its customer. Ends the account's sessions, except the one that requested
-- the change.
create function write_change_email(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
declare
    changed_account bigint := change ->> 'account_id';
    new_email text := change ->> 'email';
begin
    perform end_sessions(changed_account, changed, (change ->> 'kept_session')::uuid);
    -- Links that were mailed to the previous address, and other requested changes, would outlive this change. The notice
    -- to the previous address is still due.
    delete from mailed_link as link using account
    where account.account_id = changed_account and link.purpose <> 'email_notice'
        and (link.account_id = changed_account or lower(link.email) = lower(account.email));
    update customer_profile as profile
    set email = new_email, changed_at = changed
    from account
    where account.account_id = changed_account and profile.customer_id = account.customer_id;
    update account set email = new_email where account.account_id = changed_account;
end
$$;
