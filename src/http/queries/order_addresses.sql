select kind, name, line1, line2, postal_code, city, region, country
from order_address
where order_id = $1
order by kind desc
