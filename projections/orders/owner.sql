select customer_id
from orders
where order_id = $1
