select email from account
where account_id = $1 and role = 'admin' and disabled_at is null
