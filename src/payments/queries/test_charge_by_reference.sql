select reference, request, order_id, attempt, amount, card, state
from test_charge
where reference = $1
