select token, asked_at is not null as "requested!"
from payment_instrument
where order_id = $1 and attempt = $2
