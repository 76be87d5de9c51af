select webhook_id, url, description, event_types, active, created_at, changed_at, failing_since,
    disabled_at, disabled_reason, off_after as missed_after, off_upto as missed_upto, dropped as dropped_deliveries,
    case when previous_secret_until > now() then previous_secret_until end as previous_secret_until
from webhook
where webhook_id > $1
order by webhook_id
limit $2
