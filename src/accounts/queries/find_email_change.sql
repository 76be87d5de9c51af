select link.email, account.account_id, account.customer_id, link.session_id
from mailed_link as link
join account using (account_id)
where link.purpose = 'change_email' and link.token_hash = $1 and link.expires_at > clock_timestamp()
    and link.requested_at <= clock_timestamp() + interval '1 minute'
