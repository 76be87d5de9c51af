-- Begins a session if the account still has this password and is not disabled. Beyond $6 sessions the oldest end.
with holder as (
    select account_id, role, customer_id
    from account
    where account_id = $1 and password_hash = $2 and disabled_at is null
    for share
), surplus as (
    delete from session
    where session_id in (
        select session.session_id
        from session
        join holder on holder.account_id = session.account_id
        order by session.started_at desc, session.session_id desc
        offset greatest($6::bigint - 1, 0)
        for update of session skip locked
    )
), begun as (
    insert into session (session_id, account_id, started_at, expires_at)
    select $3, account_id, clock_timestamp(), clock_timestamp() + $4 from holder
    returning session_id
), given as (
    insert into refresh_token (token_hash, session_id)
    select $5, session_id from begun
)
select role, customer_id
from holder
