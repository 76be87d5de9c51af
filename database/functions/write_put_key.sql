-- Stores the hash of a new API key.
create function write_put_key(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
begin
    insert into api_key (key_id, account_id, name, role, secret_hash, created_at)
    select given.key_id, given.account_id, given.name, given.role, decode(given.hash, 'hex'), changed
    from jsonb_to_record(change) as given (key_id uuid, account_id bigint, name text, role text, hash text);
end
$$;
