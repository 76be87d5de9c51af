select event.event_id as "event_id!", delivery.position, event.event_type as "event_type!", delivery.attempts, delivery.status as last_status,
    delivery.error, delivery.tried_at, reaction.due_at as "due_at?",
    case
        when reaction.parked_at is not null then 'parked'
        when reaction.due_at is not null then 'due'
        when delivery.delivered_at is not null then 'delivered'
        else 'dropped'
    end as "outcome!"
from webhook_delivery as delivery
join event_log as event on event.position = delivery.position
left join reaction
    on reaction.reactor = $4 and reaction.position = delivery.position and reaction.target = delivery.webhook_id::text
where webhook_id = $1 and delivery.position < $2
order by delivery.position desc
limit $3
