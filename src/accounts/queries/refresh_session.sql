select outcome as "outcome!", session_id, account_id, role, customer_id
from refresh_session($1, $2, $3, $4)
