insert into refunds (order_id, refund, amount, state, reason, asked_at)
select order_id, refund, amount, 'requested', reason, recorded_at
from fact.order_refund_requested;

update refunds as asked
set state = 'failed', failure = event.reason
from fact.order_refund_failed as event
where asked.order_id = event.order_id
    and asked.refund = event.refund;

insert into refunds as asked (order_id, refund, amount, state, reason, asked_at, done_at)
select order_id, refund, amount, 'done', reason, recorded_at, recorded_at
from fact.order_refunded
on conflict (order_id, refund) do update
set state = 'done', failure = null, done_at = excluded.done_at;
