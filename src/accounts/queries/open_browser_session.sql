-- Finds the session of a token that a browser keeps, and extends it. The token stays valid; a used one opens nothing.
with held as (
    select session.session_id, account.account_id, account.role, account.email, account.customer_id
    from refresh_token
    join session using (session_id)
    join account using (account_id)
    where refresh_token.token_hash = $1
        and refresh_token.used_at is null
        and account.disabled_at is null
        and session.expires_at > clock_timestamp()
        -- A session from the future began while the clock was wrong.
        and session.expires_at < clock_timestamp() + $3::interval
)
update session
set expires_at = clock_timestamp() + $2::interval
from held
where session.session_id = held.session_id
returning held.session_id, held.account_id, held.role, held.email, held.customer_id
