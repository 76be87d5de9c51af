select
    customer.customer_id,
    profile.first_name,
    profile.last_name,
    profile.email,
    customer.registered_at,
    case when customer.erasure_requested_at < 'infinity' then customer.erasure_requested_at end as erasure_requested_at,
    customer.version,
    coalesce(kept.pairs, '{}') as "metadata!"
from customers as customer
join customer_profile as profile using (customer_id)
left join entity_metadata as kept on kept.kind = 'customer' and kept.id = customer.customer_id::text
where customer.customer_id = $1
