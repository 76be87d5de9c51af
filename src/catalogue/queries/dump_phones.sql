select
    product_id,
    details -> 'phone' as "phone!: Json<Phone>"
from product_details
where product_id > $1
    and details ? 'phone'
order by product_id
limit $2
