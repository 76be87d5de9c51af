select
    refund,
    amount,
    state,
    reason,
    failure,
    asked_at,
    done_at
from refunds
where order_id = $1
order by refund
limit 1000
