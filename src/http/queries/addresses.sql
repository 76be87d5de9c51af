select address_id, name, line1, line2, postal_code, city, region, country, default_shipping, default_billing
from address
where customer_id = $1 and address_id > $2
order by address_id
limit $3
