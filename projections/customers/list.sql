-- Known customers along the date of registration, newest first. Without a profile, a customer is about to be erased.
select
    customer.customer_id,
    profile.first_name as "first_name?",
    profile.last_name as "last_name?",
    profile.email as "email?",
    customer.registered_at,
    case when customer.erasure_requested_at < 'infinity' then customer.erasure_requested_at end as erasure_requested_at
from (
    select customer_id, registered_at, erasure_requested_at
    from customers
    where erased_at is null
        and (registered_at, customer_id) < ($1, $2)
        and registered_at >= $3
    order by registered_at desc, customer_id desc
    limit $4
) as customer
left join customer_profile as profile using (customer_id)
order by customer.registered_at desc, customer.customer_id desc
