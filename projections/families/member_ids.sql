select product_id
from family_members
where family_id = $1
order by product_id
limit 500
