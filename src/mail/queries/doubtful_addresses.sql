-- The stored e-mail addresses that are not plainly valid, with their owners. The caller parses them.
select kind as "kind!", id as "id!", email as "email!"
from (
    select 1 as kind, customer_id as id, email from customer_profile
    union all
    select 2, account_id, email from account where customer_id is null
    union all
    select 3, order_id, email from order_contact
) as stored
where email !~ '^[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*@[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$'
order by kind, id
