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

delete from families as family
using fact.family_deleted as event
where family.family_id = event.family_id;
