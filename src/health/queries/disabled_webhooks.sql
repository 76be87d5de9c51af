-- Webhooks that the shop has disabled; a shop has few.
select webhook_id, disabled_reason as "disabled_reason!"
from webhook
where not active and disabled_reason is not null
order by webhook_id
