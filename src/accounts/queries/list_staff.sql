select account_id, email, role, customer_id, disabled_at is not null as "disabled!",
    password_hash is not null as "has_password!", opened_at
from account
where account_id > $1 and role <> 'customer'
order by account_id
limit $2
