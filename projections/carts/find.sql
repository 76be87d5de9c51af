select state, version
from carts
where cart_id = $1
