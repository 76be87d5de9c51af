-- Enables a disabled account.
create function write_enable_account(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
begin
    update account set disabled_at = null where account.account_id = (change ->> 'account_id')::bigint;
end
$$;
