select lower(email) as "email!", customer_id
from customer_profile
where lower(email) = any($1)
