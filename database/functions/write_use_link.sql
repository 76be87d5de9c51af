-- Uses up a mailed link. Fails if the link is invalid, expired, from the future or already used.
create function write_use_link(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
begin
    delete from mailed_link as link
    where link.token_hash = decode(change ->> 'hash', 'hex') and link.expires_at > changed
        and link.requested_at <= changed + interval '1 minute';
    if not found then
        raise exception 'the link is invalid, expired or already used'
            using errcode = 'unique_violation', constraint = 'mailed_link_used_once';
    end if;
end
$$;
