"""Buys something with the generated Python package alone: log in, cart, checkout, bestsellers.

Arguments: the address of the shop and the first admin's password.
"""

import sys

from cartwright_client import AuthenticatedClient, Client
from cartwright_client.api.accounts import log_in
from cartwright_client.api.carts import add_guest_item, check_out_guest, find_guest_cart, open_guest_cart
from cartwright_client.api.catalogue import list_products
from cartwright_client.api.statistics import bestsellers
from cartwright_client.models import (
    GuestCheckout,
    Login,
    NewAddress,
    NewItem,
    OrderView,
    PaymentInstrument,
    PaymentInstrumentMethod,
)


def main(address: str, password: str) -> None:
    guest = Client(base_url=address, raise_on_unexpected_status=True)
    tokens = log_in.sync(client=guest, body=Login(email="admin@shop.localhost", password=password))
    staff = AuthenticatedClient(base_url=address, token=tokens.access_token, raise_on_unexpected_status=True)

    before = {row.product_id: row.total_sold for row in bestsellers.sync(client=staff, limit=1000)}
    product = next(product for product in list_products.sync(client=guest) if product.stock >= 3)
    token = open_guest_cart.sync(client=guest).cart_token
    add_guest_item.sync(token, client=guest, body=NewItem(product_id=product.product_id, quantity=3))
    cart = find_guest_cart.sync(token, client=guest)
    assert [item.quantity for item in cart.items] == [3], cart

    address_of_jo = NewAddress(
        name="Jo Miller", line1="12 Mill Lane", postal_code="AB1 2CD", city="Milltown", country="GB"
    )
    checkout = GuestCheckout(
        name="Jo Miller",
        email="jo@example.com",
        shipping_address=address_of_jo,
        payment=PaymentInstrument(method=PaymentInstrumentMethod.TEST, card_number="4242 4242 4242 4242"),
    )
    response = check_out_guest.sync_detailed(token, client=guest, body=checkout)
    order = response.parsed
    assert isinstance(order, OrderView) and order.total_amount == cart.total, response.content

    position = int(response.headers["Journal-Position"])
    after = bestsellers.sync(client=staff, limit=1000, min_position=position)
    sold = {row.product_id: row.total_sold for row in after}
    assert sold[product.product_id] == before.get(product.product_id, 0) + 3, sold
    print(f"the Python client has placed order {order.order_id}")


main(*sys.argv[1:])
