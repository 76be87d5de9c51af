select
    customer.customer_id,
    profile.first_name as "first_name?",
    profile.last_name as "last_name?",
    profile.email as "email?",
    customer.registered_at,
    case when customer.erasure_requested_at < 'infinity' then customer.erasure_requested_at end as erasure_requested_at
from customer_profile as profile
join customers as customer using (customer_id)
where lower(profile.email) = lower($1)
    and customer.erased_at is null
