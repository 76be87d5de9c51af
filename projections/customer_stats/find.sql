select total_orders, total_spent
from customer_stats
where customer_id = $1
