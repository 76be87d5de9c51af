select api_key.secret_hash, api_key.key_id, account.account_id, api_key.role, account.role as account_role
from api_key
join account using (account_id)
where account.disabled_at is null
