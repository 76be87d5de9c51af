-- Sets the role of an account and ends its sessions.
create function write_set_role(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
declare
    changed_account bigint := change ->> 'account_id';
begin
    update account set role = change ->> 'role' where account.account_id = changed_account;
    perform end_sessions(changed_account, changed, null);
end
$$;
