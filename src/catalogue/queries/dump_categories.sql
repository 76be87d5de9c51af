select
    category_id,
    name,
    parent_id
from categories
where category_id > $1
order by category_id
limit $2
