-- Orders that were to be paid by $1 and are not, longest overdue first.
select order_id
from orders
where pay_by <= $1
    and payment in ('pending', 'failed')
    and status in ('pending', 'processing')
order by pay_by, order_id
limit $2
