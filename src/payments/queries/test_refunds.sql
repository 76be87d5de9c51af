select reference, request, amount
from test_refund
where charge_reference = $1
