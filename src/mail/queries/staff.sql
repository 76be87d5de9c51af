-- Admins, and with $2 editors too.
select account_id from account
where role in ('editor', 'admin') and (role = 'admin' or $2) and disabled_at is null
order by account_id
limit $1
