-- Begins a session if the account still has this password and is not disabled.
with holder as (
    select account_id, role, customer_id
    from account
    where account_id = $1 and password_hash = $2 and disabled_at is null
    for share
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
