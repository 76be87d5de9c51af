select
    customer.customer_id,
    profile.first_name,
    profile.last_name,
    profile.email,
    customer.registered_at,
    case when customer.erasure_requested_at < 'infinity' then customer.erasure_requested_at end as erasure_requested_at,
    customer.version
from customers as customer
join customer_profile as profile using (customer_id)
where customer.customer_id = $1
