insert into customers (customer_id, registered_at, erasure_requested_at, erased_at, version)
select customer_id, recorded_at, null, null, sequence
from fact.customer_registered;

-- A withdrawn erasure waits for ever: until infinity.
update customers as customer
set version = last.version,
    erasure_requested_at = coalesce(last.erasure_requested_at, customer.erasure_requested_at),
    erased_at = coalesce(last.erased_at, customer.erased_at)
from (
    select customer_id, max(sequence) as version, max(erased_at) as erased_at,
        (array_agg(erasure_requested_at order by sequence desc) filter (where erasure_requested_at is not null))[1]
            as erasure_requested_at
    from (
        select customer_id, sequence, null::timestamptz as erasure_requested_at, null::timestamptz as erased_at
        from fact.customer_changed
        union all
        select customer_id, sequence, null, null from fact.customer_metadata_changed
        union all
        select customer_id, sequence, null, null from fact.customer_address_added
        union all
        select customer_id, sequence, null, null from fact.customer_address_changed
        union all
        select customer_id, sequence, null, null from fact.customer_address_removed
        union all
        select customer_id, sequence, null, null from fact.customer_default_addresses_changed
        union all
        select customer_id, sequence, recorded_at, null from fact.customer_erasure_requested
        union all
        select customer_id, sequence, 'infinity', null from fact.customer_erasure_withdrawn
        union all
        select customer_id, sequence, 'infinity', recorded_at from fact.customer_erased
    ) as change
    group by customer_id
) as last
where customer.customer_id = last.customer_id;
