select webhook_id, url, description, event_types, active, created_at, changed_at,
    case when previous_secret_until > now() then previous_secret_until end as previous_secret_until
from webhook
where webhook_id = $1
