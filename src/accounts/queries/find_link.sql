select coalesce(profile.email, link.email) as "email!", link.first_name, link.last_name,
    profile.customer_id as "customer_id?", account.account_id as "account_id?"
from mailed_link as link
left join account on lower(account.email) = lower(link.email)
left join customer_profile as profile on lower(profile.email) = lower(link.email)
where link.purpose = $1 and link.token_hash = $2 and link.expires_at > clock_timestamp()
    and link.requested_at <= clock_timestamp() + interval '1 minute'
