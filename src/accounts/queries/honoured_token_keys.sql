select key_id, public_key
from token_key
where retired_at is null or retired_at > clock_timestamp() - make_interval(secs => $1)
