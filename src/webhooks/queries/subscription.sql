select url, active, secret, previous_secret, previous_secret_until
from webhook
where webhook_id = $1
