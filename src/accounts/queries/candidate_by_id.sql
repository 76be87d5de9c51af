select account_id, email, password_hash, disabled_at is not null as "disabled!"
from account
where account_id = $1
