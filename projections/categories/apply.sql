insert into categories (category_id, name, name_key, product_count, version, parent_id)
select category_id, name, fact.text_key(name), 0, sequence, parent_id
from fact.category_created;

update categories as category
set name = last.name, name_key = fact.text_key(last.name)
from (
    select distinct on (category_id) category_id, name
    from fact.category_renamed
    order by category_id, position desc
) as last
where category.category_id = last.category_id;

update categories as category
set parent_id = last.parent_id
from (
    select distinct on (category_id) category_id, parent_id
    from fact.category_moved
    order by category_id, position desc
) as last
where category.category_id = last.category_id;

update categories as category
set product_count = category.product_count + change.products,
    version = greatest(category.version, change.version)
from (
    select category_id, sum(products) as products, max(sequence) as version
    from (
        select category_id, sequence, 1 as products from fact.category_product_added
        union all
        select category_id, sequence, -1 from fact.category_product_removed
        union all
        select category_id, sequence, 0 from fact.category_renamed
        union all
        select category_id, sequence, 0 from fact.category_moved
        union all
        select category_id, sequence, 0 from fact.category_child_added
        union all
        select category_id, sequence, 0 from fact.category_child_removed
    ) as change
    group by category_id
) as change
where category.category_id = change.category_id;

delete from categories as category
using fact.category_deleted as event
where category.category_id = event.category_id;
