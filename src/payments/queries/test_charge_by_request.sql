select reference, request, order_id, attempt, amount, card, state
from test_charge
where request = $1
