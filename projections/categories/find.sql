select category_id, name as category_name, product_count, version
from categories
where category_id = $1
