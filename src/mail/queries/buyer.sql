select rtrim(first_name || ' ' || last_name) as "name!", email as "email!"
from customer_profile
where customer_id = $2
union all
select name, email
from order_contact
where order_id = $1::text::bigint and $2 is null
