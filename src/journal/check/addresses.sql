-- A default address is one that the customer has; its removal is followed at once by other defaults.
with held as (
    select aggregate_id, (payload ->> 'address_id')::bigint as address_id,
        min(sequence) filter (where event_type = 'CustomerAddressAdded') as added_at,
        min(sequence) filter (where event_type = 'CustomerAddressRemoved') as removed_at
    from event_log
    where event_type in ('CustomerAddressAdded', 'CustomerAddressRemoved')
    group by aggregate_id, address_id
),
change as (
    select position, aggregate_id, sequence, payload,
        lead(sequence) over (partition by aggregate_id order by sequence) as next_sequence
    from event_log
    where event_type = 'CustomerDefaultAddressesChanged'
),
marked as (
    select position, aggregate_id, sequence, next_sequence, (payload ->> kind)::bigint as address_id
    from change
    cross join unnest('{shipping,billing}'::text[]) as kind
)
select
    marked.position,
    'Customer/' || marked.aggregate_id as subject,
    'a default address that the customer has' as expected,
    case
        when held.added_at is null or held.added_at > marked.sequence then 'address ' || marked.address_id || ' not added'
        when held.removed_at < marked.sequence then 'address ' || marked.address_id || ' removed'
        else 'address ' || marked.address_id || ' removed, and still the default'
    end as found
from marked
left join held using (aggregate_id, address_id)
where marked.address_id is not null
    and (
        held.added_at is null
        or held.added_at > marked.sequence
        or held.removed_at < marked.sequence
        or held.removed_at < coalesce(marked.next_sequence, 9223372036854775807) - 1
    )
