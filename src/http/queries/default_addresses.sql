select address_id, country, default_shipping, default_billing
from address
where customer_id = $1
    and (default_shipping or default_billing)
limit 2
