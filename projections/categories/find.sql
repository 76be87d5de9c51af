select category_id, name as category_name, product_count, parent_id, version
from categories
where category_id = $1
