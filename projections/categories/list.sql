select category_id, name as category_name, product_count, parent_id
from categories
where (name_key, category_id) > ($1, $2)
order by name_key, category_id
limit $3
