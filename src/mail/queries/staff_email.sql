select email from account
where account_id = $1 and role in ('editor', 'admin') and (role = 'admin' or $2) and disabled_at is null
