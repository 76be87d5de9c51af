select session_id, started_at, expires_at
from session
where account_id = $1 and expires_at > clock_timestamp()
order by started_at desc, session_id desc
limit $2
