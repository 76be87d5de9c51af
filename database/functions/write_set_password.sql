-- Sets the password of an account and ends its sessions.
create function write_set_password(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
declare
    changed_account bigint := change ->> 'account_id';
begin
    update account set password_hash = change ->> 'password_hash' where account.account_id = changed_account;
    perform end_sessions(changed_account, changed, null);
    -- A reset link that was mailed before could undo the change, and so could a requested change of the address.
    delete from mailed_link as link using account
    where account.account_id = changed_account and link.purpose = 'reset' and lower(link.email) = lower(account.email);
    delete from mailed_link as link where link.account_id = changed_account and link.purpose = 'change_email';
end
$$;
