insert into customers (customer_id, registered_at, erased_at, version)
select customer_id, recorded_at, null, sequence
from fact.customer_registered;

update customers as customer
set version = last.version, erased_at = coalesce(last.erased_at, customer.erased_at)
from (
    select customer_id, max(sequence) as version, max(erased_at) as erased_at
    from (
        select customer_id, sequence, null::timestamptz as erased_at from fact.customer_changed
        union all
        select customer_id, sequence, null from fact.customer_address_added
        union all
        select customer_id, sequence, null from fact.customer_address_changed
        union all
        select customer_id, sequence, null from fact.customer_address_removed
        union all
        select customer_id, sequence, recorded_at from fact.customer_erased
    ) as change
    group by customer_id
) as last
where customer.customer_id = last.customer_id;
