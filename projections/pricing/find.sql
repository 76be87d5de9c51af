select fees, inclusive, rates, version
from pricing
where pricing_id = $1
