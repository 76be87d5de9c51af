-- Following the parents of a category ends at a category without a parent, after at most 8 levels.
with recursive place as (
    select distinct on (aggregate_id) position, aggregate_id as category_id, payload ->> 'parent_id' as parent_id
    from event_log
    where event_type in ('CategoryCreated', 'CategoryMoved')
    order by aggregate_id, sequence desc
),
walk as (
    select position, category_id, parent_id, 1 as levels
    from place
    union all
    select walk.position, walk.category_id, above.parent_id, walk.levels + 1
    from walk
    join place as above on above.category_id = walk.parent_id
    where walk.levels <= 8
)
select
    position,
    'Category/' || category_id as subject,
    'at most 8 levels, the first without a parent' as expected,
    case when levels > 8 then 'more than 8 levels' else 'the parent ' || parent_id || ', which was never created' end
        as found
from walk
where levels > 8
    or parent_id is not null and not exists (select from place as above where above.category_id = walk.parent_id)
