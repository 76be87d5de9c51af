select order_id, product_id, quantity, unit_price
from order_lines
where order_id = any($1)
order by order_id, line
