-- Closed orders of guests whose personal data waits to be erased, longest waiting first.
select placed.order_id
from orders as placed
where placed.erasure_requested_at < 'infinity'
    and not ((placed.status in ('pending', 'processing', 'shipped') and placed.fulfilment <> 'returned')
        or placed.total - placed.credited > placed.paid - placed.refunded)
    and not exists (
        select from refunds as refund where refund.order_id = placed.order_id and refund.state = 'requested'
    )
order by placed.erasure_requested_at, placed.order_id
limit $1
