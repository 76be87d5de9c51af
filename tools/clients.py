"""Runs a shop with the generated Python package alone: nothing here knows a path, a header's name or a field by heart.

Staff fill the catalogue, a guest asks for a quote and orders, staff pay, ship and take back; then the statistics, the
history, the log and a webhook. Arguments: the address of the shop and the first admin's password.
"""

import sys
import time
import uuid

from cartwright_client import AuthenticatedClient, Client
from cartwright_client.api.accounts import create_key, find_own_account, log_in
from cartwright_client.api.carts import add_guest_item, check_out_guest, find_guest_cart, open_guest_cart
from cartwright_client.api.catalogue import (
    adjust_stock,
    change_product,
    create_category,
    create_product,
    find_product,
    list_products,
)
from cartwright_client.api.log import list_event_types, list_events, product_history
from cartwright_client.api.orders import (
    deliver_shipment,
    find_order_summary,
    list_orders,
    process_order,
    return_units,
    ship_order,
)
from cartwright_client.api.statistics import bestsellers
from cartwright_client.api.webhooks import create_webhook, delete_webhook
from cartwright_client.models import (
    Arrival,
    FulfilmentState,
    GuestCheckout,
    Login,
    NewAddress,
    NewCategory,
    NewItem,
    NewKey,
    NewProduct,
    NewWebhook,
    OrderStatus,
    PaymentInstrument,
    PaymentInstrumentMethod,
    PaymentState,
    Problem,
    ProductChange,
    Return,
    ReturnedLine,
    Role,
    Shipment,
    StockAdjustment,
)


def position_of(response) -> str:
    """Position of the log after a command, for reads of other callers."""
    return response.headers["Journal-Position"]


def main(address: str, password: str) -> None:
    guest = Client(base_url=address, raise_on_unexpected_status=True)
    tokens = log_in.sync(client=guest, body=Login(email="admin@shop.localhost", password=password))
    admin = AuthenticatedClient(base_url=address, token=tokens.access_token, raise_on_unexpected_status=True)
    assert find_own_account.sync(client=admin).role == Role.ADMIN
    key = create_key.sync(client=admin, body=NewKey(name="clients", role=Role.EDITOR))
    staff = AuthenticatedClient(base_url=address, token=key.api_key, raise_on_unexpected_status=True)

    # A refusal is a problem with a code and the wrong fields.
    refused = create_product.sync(client=staff, body=NewProduct(name="", price="1.005", category="Kitchen"))
    assert isinstance(refused, Problem) and refused.code == "invalid_request", refused
    assert [error.field for error in refused.errors] == ["name", "price"], refused

    # The catalogue. A repeated command with one key is executed once.
    run = uuid.uuid4().hex[:8]
    category = create_category.sync(client=staff, body=NewCategory(category_name=f"Lamps {run}"))
    lamp = NewProduct(name=f"Lamp {run}", price="30.00", category=category.category_id, stock=2)
    made = [create_product.sync(client=staff, body=lamp, idempotency_key=f"lamp-{run}") for _ in range(2)]
    product_id = made[0].product_id
    assert made[1].product_id == product_id, made
    adjust_stock.sync(product_id, client=staff, body=StockAdjustment(change=8, reason="delivery"))

    # A change with the tag of what was read; the tag is stale afterwards.
    read = find_product.sync_detailed(product_id, client=staff)
    assert read.parsed.stock == 10, read.parsed
    tag = read.headers["ETag"]
    change_product.sync(product_id, client=staff, if_match=tag, body=ProductChange(price="28.00"))
    stale = change_product.sync(product_id, client=staff, if_match=tag, body=ProductChange(price="26.00"))
    assert isinstance(stale, Problem) and stale.code == "stale", stale

    # Pages: every product once.
    names, cursor = [], None
    while True:
        page = list_products.sync_detailed(client=guest, limit=5, **({"cursor": cursor} if cursor else {}))
        names += [product.product_id for product in page.parsed]
        link = page.headers.get("Link")
        if link is None:
            break
        cursor = link.split("cursor=")[1].split(">")[0]
    assert len(names) == len(set(names)) and len(names) > 5, names

    # A guest asks for a quote and orders.
    before = {row.product_id: row.total_sold for row in bestsellers.sync(client=staff, limit=1000)}
    token = open_guest_cart.sync(client=guest).cart_token
    item = add_guest_item.sync_detailed(token, client=guest, body=NewItem(product_id=product_id, quantity=3))
    cart = find_guest_cart.sync(token, client=guest, min_position=position_of(item))
    assert [item.quantity for item in cart.items] == [3] and cart.total == "84.00", cart
    quote = check_out_guest.sync(token, client=guest, body=GuestCheckout(), dry_run=True)
    assert quote.total_amount == cart.total and {event.event_type for event in quote.events} >= {"OrderPlaced"}, quote
    checkout = GuestCheckout(
        name="Jo Miller",
        email="jo@example.com",
        shipping_address=NewAddress(
            name="Jo Miller", line1="12 Mill Lane", postal_code="AB1 2CD", city="Milltown", country="GB"
        ),
        payment=PaymentInstrument(method=PaymentInstrumentMethod.TEST, card_number="4242 4242 4242 4242"),
        expected_total=cart.total,
    )
    ordered = check_out_guest.sync_detailed(token, client=guest, body=checkout)
    order = ordered.parsed
    assert order.total_amount == cart.total and order.status == OrderStatus.PENDING, ordered.content

    # Staff ship it, and take a unit back.
    early = ship_order.sync(order.order_id, client=staff, body=Shipment())
    assert isinstance(early, Problem) and early.code in ("illegal_move", "not_paid"), early
    process_order.sync(order.order_id, client=staff)
    for _ in range(100):
        summary = find_order_summary.sync(order.order_id, client=staff)
        if summary.payment == PaymentState.PAID:
            break
        time.sleep(0.1)
    assert summary.payment == PaymentState.PAID, summary
    shipped = ship_order.sync(order.order_id, client=staff, body=Shipment(carrier="DHL", tracking_number="1234"))
    assert shipped.fulfilment == FulfilmentState.SHIPPED, shipped
    deliver_shipment.sync(order.order_id, client=staff, body=Arrival(shipment=1))
    back = Return(lines=[ReturnedLine(line=1, quantity=1)], refund=True, reason="broken")
    returned = return_units.sync_detailed(order.order_id, client=staff, body=back)
    assert order.order_id in [row.order_id for row in list_orders.sync(client=staff, status=OrderStatus.COMPLETED)]

    # The statistics, the history and the log have it.
    after = bestsellers.sync(client=staff, limit=1000, min_position=position_of(returned))
    sold = {row.product_id: row.total_sold for row in after}
    assert sold[product_id] == before.get(product_id, 0) + 2, sold
    history = product_history.sync(product_id, client=staff)
    assert "ProductRepriced" in [change.event_type for change in history], history
    placed = list_events.sync(client=staff, type_="OrderPlaced", stream=f"Order/{order.order_id}")
    assert placed[0].payload["total"] == cart.total, placed

    # Every event type has a schema that its sample fits, and can be subscribed to.
    types = list_event_types.sync(client=staff)
    check_samples(types)
    webhook = NewWebhook(url="https://example.com/hooks", event_types=[types[0].event_type])
    created = create_webhook.sync(client=admin, body=webhook)
    assert created.secret.startswith("whsec_"), created
    delete_webhook.sync_detailed(created.webhook_id, client=admin)
    misspelt = create_webhook.sync(client=admin, body=NewWebhook(url=webhook.url, event_types=["OrderPlacd"]))
    assert isinstance(misspelt, Problem) and misspelt.errors[0].field == "event_types", misspelt
    print(f"the Python client has sold order {order.order_id} and read {len(types)} event types")


def check_samples(types) -> None:
    """Checks each sample with a validator of JSON Schema, which came with the check of the description."""
    from jsonschema import Draft202012Validator

    for event_type in types:
        schema, sample = event_type.schema.to_dict(), event_type.sample.to_dict()
        Draft202012Validator.check_schema(schema)
        Draft202012Validator(schema).validate(sample)


main(*sys.argv[1:])
