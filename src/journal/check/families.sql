-- A product is in one family at most, and each combination of options belongs to one product of its family.
with change as (
    select position, aggregate_id as family_id, payload ->> 'product_id' as product_id, payload -> 'options' as options,
        lead(position, 1, 9223372036854775807) over (
            partition by aggregate_id, payload ->> 'product_id' order by position
        ) as upto
    from event_log
    where event_type in ('FamilyProductAdded', 'FamilyProductChanged', 'FamilyProductRemoved')
),
place as (
    select position, family_id, product_id, options, upto
    from change
    where options is not null
)
select
    later.position,
    'Family/' || later.family_id || ', product ' || later.product_id as subject,
    'in one family' as expected,
    'in family ' || earlier.family_id || ' too' as found
from place as later
join place as earlier using (product_id)
where earlier.position < later.position
    and later.position < earlier.upto
    and earlier.family_id <> later.family_id
union all
select
    later.position,
    'Family/' || later.family_id || ', product ' || later.product_id,
    'a combination of its own',
    'the combination of product ' || earlier.product_id
from place as later
join place as earlier using (family_id, options)
where earlier.position < later.position
    and later.position < earlier.upto
    and earlier.product_id <> later.product_id
