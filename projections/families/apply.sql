insert into families (family_id, name, name_key, options, product_count, version)
select family_id, name, fact.text_key(name), options, 0, sequence
from fact.family_created;

update families as family
set name = last.name, name_key = fact.text_key(last.name), options = last.options
from (
    select distinct on (family_id) family_id, name, options
    from fact.family_changed
    order by family_id, position desc
) as last
where family.family_id = last.family_id;

update families as family
set product_count = family.product_count + change.products
from (
    select family_id, sum(products) as products
    from fact.family_place
    group by family_id
) as change
where family.family_id = change.family_id;

update families as family
set version = last.version
from (
    select family_id, max(sequence) as version
    from fact.family_event
    group by family_id
) as last
where family.family_id = last.family_id;

-- A product that moves to another family leaves its family first, so its last event tells where it is.
with last as (
    select distinct on (product_id) product_id, family_id, options
    from fact.family_place
    order by product_id, position desc
),
removed as (
    delete from family_members as member
    using last
    where last.options is null
        and member.product_id = last.product_id
)
insert into family_members as member (product_id, family_id, options)
select product_id, family_id, options
from last
where options is not null
on conflict (product_id) do update
set family_id = excluded.family_id, options = excluded.options;

delete from families as family
using fact.family_deleted as event
where family.family_id = event.family_id;
