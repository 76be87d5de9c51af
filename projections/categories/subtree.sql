-- Categories and those below them.
with recursive subtree as (
    select category_id
    from categories
    where category_id = any($1)
    union
    select below.category_id
    from subtree
    join categories as below on below.parent_id = subtree.category_id
)
select category_id as "category_id!"
from subtree
order by category_id
limit 100000
