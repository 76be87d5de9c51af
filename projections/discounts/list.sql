select discount_id, code, kind, value, valid_from, valid_until, total_limit, customer_limit, minimum, ended, uses, version
from discounts
where discount_id > $1
order by discount_id
limit $2
