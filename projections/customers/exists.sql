select exists (
    select from customers
    where customer_id = $1
) as "exists!"
