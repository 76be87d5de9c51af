select account_id from account
where role = 'admin' and disabled_at is null
order by account_id
limit $1
