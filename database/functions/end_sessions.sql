-- Ends every session of an account, except `kept_session` if it is not null; the access tokens of the ended sessions are
-- refused until the last of them has expired. An access token lives for 15 minutes; an hour allows for clocks that differ.
--
-- Every writer of sessions locks the account first, then the session, then its tokens, so that two of them cannot
-- deadlock. A session that begins holds its account, so that it cannot slip past this function.
create function end_sessions(ended_account bigint, ended_at timestamptz, kept_session uuid)
returns void language plpgsql set search_path from current as $$
begin
    perform from account where account_id = ended_account for update;
    perform from session where account_id = ended_account order by session_id for update;
    with ended as (
        delete from session
        where account_id = ended_account and session_id is distinct from kept_session
        returning session_id
    )
    insert into revocation (session_id, expires_at)
    select session_id, ended_at + interval '1 hour' from ended
    on conflict do nothing;
end
$$;
