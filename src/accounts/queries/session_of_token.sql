select session_id, session.account_id
from refresh_token
join session using (session_id)
where token_hash = $1
