-- Orders that were to be paid by $1 and of which the shop has received nothing and sent nothing, longest overdue first.
select order_id
from orders
where pay_by <= $1
    and payment in ('pending', 'failed')
    and status in ('pending', 'processing')
    and fulfilment = 'unfulfilled'
    and paid = refunded
    and total > credited
order by pay_by, order_id
limit $2
