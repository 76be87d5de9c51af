-- Deletes an API key.
create function write_revoke_key(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
begin
    delete from api_key where api_key.key_id = (change ->> 'key_id')::uuid;
end
$$;
