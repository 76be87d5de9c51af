-- Ends one session; its access tokens are refused until the last of them has expired.
create function end_session(ended_session uuid) returns void language sql set search_path from current as $$
    delete from session where session_id = ended_session;
    insert into revocation (session_id, expires_at)
    values (ended_session, clock_timestamp() + interval '1 hour')
    on conflict do nothing
$$;
