-- Active webhooks that have failed since before $1, or that have more than $2 pending deliveries of the reactor $3.
select webhook_id, failing_since, failing_since < $1 as "failing?"
from webhook
where active
    and (
        failing_since < $1
        or $2 < (
            select count(*) from (
                (select 1 from reaction
                 where reactor = $3 and target = webhook_id::text and due_at is not null
                 limit $2::bigint + 1)
                union all
                (select 1 from reaction
                 where reactor = $3 and target = webhook_id::text and parked_at is not null
                 limit $2::bigint + 1)
            ) as pending
        )
    )
order by webhook_id
