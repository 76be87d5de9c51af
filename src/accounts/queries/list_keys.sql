select key_id, account_id, name, role, created_at, last_used_at
from api_key
where ($1::bigint is null or account_id = $1) and (created_at, key_id) > ($2, $3)
order by created_at, key_id
limit $4
