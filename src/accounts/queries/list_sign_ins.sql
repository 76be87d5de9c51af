select sign_in_id, happened_at, account_id, outcome, address, user_agent
from sign_in
where sign_in_id < $1
order by sign_in_id desc
limit $2
