-- Who may log in. The log knows an account's number, role and customer; address and password are here, and forgettable.
create table account (
    account_id bigint primary key,
    role text not null check (role in ('customer', 'reader', 'editor', 'admin')),
    email text not null,
    customer_id bigint unique,
    password_hash text,
    disabled_at timestamptz,
    opened_at timestamptz not null,
    check ((role = 'customer') = (customer_id is not null))
);
comment on column account.email is 'a customer''s is kept equal to that of the profile';
comment on column account.password_hash is 'argon2id, as a PHC string; null until one is chosen by a mailed link';
create unique index account_email_key on account (lower(email));

-- A log-in, until it is ended or its last refresh token expires.
create table session (
    session_id uuid primary key,
    account_id bigint not null references account on delete cascade,
    started_at timestamptz not null,
    expires_at timestamptz not null
);
comment on column session.expires_at is 'when the newest refresh token ends';
create index session_account on session (account_id);
create index session_expires_at on session (expires_at);

-- Each is used once, for the next one. One that comes back was stolen, and ends its session.
create table refresh_token (
    token_hash bytea primary key,
    session_id uuid not null references session on delete cascade,
    used_at timestamptz
);
create index refresh_token_session on refresh_token (session_id);

-- Sessions whose access tokens are refused although they have not expired. Every node holds these in memory.
create table revocation (
    session_id uuid primary key,
    expires_at timestamptz not null
);
comment on column revocation.expires_at is 'when no access token of the session can be valid any more';

-- Keys for machines. Every node holds these in memory, by hash.
create table api_key (
    key_id uuid primary key,
    account_id bigint not null references account on delete cascade,
    name text not null,
    role text not null check (role in ('reader', 'editor', 'admin')),
    secret_hash bytea not null unique,
    created_at timestamptz not null,
    last_used_at timestamptz
);
comment on column api_key.last_used_at is 'to the minute';
create index api_key_account on api_key (account_id);

-- With what access tokens are verified. The private halves are in the data folders of the nodes.
create table token_key (
    key_id text primary key,
    public_key bytea not null,
    created_at timestamptz not null,
    retired_at timestamptz
);
comment on column token_key.retired_at is
    'when its node took a newer one; its tokens are honoured to their end; -infinity for one that is refused for ever';

-- Every node holds the four above in memory, and is told when they change.
create function tell_access() returns trigger language plpgsql as $$
begin
    perform pg_notify('access', '');
    return null;
end
$$;
create trigger tell_access after insert on revocation for each statement execute function tell_access();
create trigger tell_access after insert or delete or update of role on api_key
for each statement execute function tell_access();
create trigger tell_access after update of role, disabled_at on account
for each statement execute function tell_access();
create trigger tell_access after insert or update on token_key for each statement execute function tell_access();

-- Mails that are asked for, and what their single-use links lead to. Everybody's wish is stored alike, whether there is
-- an account or not, so that neither answer nor time tells.
create table mailed_link (
    link_id uuid primary key,
    purpose text not null check (purpose in ('register', 'reset')),
    email text not null,
    first_name text,
    last_name text,
    password_hash text,
    token_hash bytea unique,
    requested_at timestamptz not null,
    expires_at timestamptz not null,
    due_at timestamptz,
    attempts integer not null default 0
);
comment on column mailed_link.due_at is 'when the mail is to be tried next; null when it is sent';
create index mailed_link_due_at on mailed_link (due_at) where due_at is not null;
create index mailed_link_expires_at on mailed_link (expires_at);
create index mailed_link_email on mailed_link (lower(email));

-- Log-ins and failures: a table of its own, so that the log neither grows with every guess nor learns of people.
create table sign_in (
    sign_in_id bigint generated always as identity primary key,
    happened_at timestamptz not null,
    account_id bigint references account on delete cascade,
    outcome text not null,
    address text not null,
    user_agent text not null
);
comment on column sign_in.account_id is 'null when no account has the address that was tried';
comment on column sign_in.address is 'shortened to its network';
create index sign_in_happened_at on sign_in (happened_at);
create index sign_in_account on sign_in (account_id);

-- Whoever writes sessions locks the account first, then the session, then its tokens: in another order, two of them could
-- wait for each other. A session that begins holds its account, so that none can slip past those who end them all.

-- Ends every session of an account; the access tokens that are out are refused until the last of them has expired.
-- An access token lives for 15 minutes; an hour is longer than any clock is wrong.
create function end_sessions(ended_account bigint, ended_at timestamptz) returns void language plpgsql as $$
begin
    perform from account where account_id = ended_account for update;
    perform from session where account_id = ended_account order by session_id for update;
    with ended as (
        delete from session where account_id = ended_account returning session_id
    )
    insert into revocation (session_id, expires_at)
    select session_id, ended_at + interval '1 hour' from ended
    on conflict do nothing;
end
$$;

-- Ends one session.
create function end_session(ended_session uuid) returns void language sql as $$
    delete from session where session_id = ended_session;
    insert into revocation (session_id, expires_at)
    values (ended_session, clock_timestamp() + interval '1 hour')
    on conflict do nothing
$$;

-- The next tokens of a session, for its refresh token. One that was used before ends the session.
create function refresh_session(
    old_hash bytea,
    new_hash bytea,
    kept interval,
    out outcome text,
    out session_id uuid,
    out account_id bigint,
    out role text,
    out customer_id bigint
) language plpgsql as $$
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
    if not found or stored.expires_at < clock_timestamp() then
        return;
    end if;
    outcome := 'refreshed';
    session_id := held.session_id;
    update refresh_token as t set used_at = clock_timestamp() where t.token_hash = old_hash;
    insert into refresh_token values (new_hash, held.session_id, null);
    update session as s set expires_at = clock_timestamp() + kept where s.session_id = held.session_id;
end
$$;
