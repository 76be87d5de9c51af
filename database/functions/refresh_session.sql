-- Exchanges the refresh token of a session for a new one. A token that was used before ends the session, if it is one of
-- the last `most_used`.
create function refresh_session(
    old_hash bytea,
    new_hash bytea,
    kept interval,
    most_used integer,
    out outcome text,
    out session_id uuid,
    out account_id bigint,
    out role text,
    out customer_id bigint
) language plpgsql set search_path from current as $$
declare
    held record;
    stored record;
begin
    outcome := 'unknown';
    select s.session_id, s.account_id into held
    from refresh_token as t
    join session as s on s.session_id = t.session_id
    where t.token_hash = old_hash;
    if not found then
        return;
    end if;
    perform from account as a where a.account_id = held.account_id for share;
    perform from session as s where s.session_id = held.session_id for update;
    select t.used_at, s.expires_at into stored
    from refresh_token as t
    join session as s on s.session_id = t.session_id
    where t.token_hash = old_hash;
    if not found then
        return;
    end if;
    if stored.used_at is not null then
        outcome := 'reused';
        account_id := held.account_id;
        perform end_session(held.session_id);
        return;
    end if;
    select a.account_id, a.role, a.customer_id into account_id, role, customer_id
    from account as a
    where a.account_id = held.account_id and a.disabled_at is null;
    -- A session from the future began while the clock was wrong.
    if not found or stored.expires_at < clock_timestamp()
        or stored.expires_at > clock_timestamp() + kept + interval '1 minute' then
        return;
    end if;
    outcome := 'refreshed';
    session_id := held.session_id;
    update refresh_token as t set used_at = clock_timestamp() where t.token_hash = old_hash;
    insert into refresh_token (token_hash, session_id) values (new_hash, held.session_id);
    delete from refresh_token as t
    where t.token_hash in (
        select used.token_hash from refresh_token as used
        where used.session_id = held.session_id and used.used_at is not null
        order by used.used_at desc
        offset most_used
    );
    update session as s set expires_at = clock_timestamp() + kept where s.session_id = held.session_id;
end
$$;
