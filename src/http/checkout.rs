//! Checkout: a cart becomes an order, with who gets it and where; what a guest sees of it, and how a guest is forgotten.

use axum::extract::State;
use utoipa::openapi::Object;
use uuid::Uuid;

use super::Shop;
use super::addresses::NewAddress;
use super::body::{NoBody, body};
use super::command::{Answer, Command, CommandParams, CommandProblems};
use super::description;
use super::error::{ApiError, Problem};
use super::order_summary::{Summary, summary};
use super::orders::unknown;
use super::page::{Ids, Versioned};
use super::payments;
use super::recipients::{GivenAddress, known_address};
use crate::domain::customer::Country;
use crate::domain::discount::DiscountCode;
use crate::domain::ids::{AddressId, CartId, CustomerId, OrderId};
use crate::domain::order::{PaymentMethod, PaymentToken};
use crate::domain::refusal::Refusal;
use crate::domain::text::{Email, Name};
use crate::shop::{
    Checkout, EraseContact, Guest, OrderStateView, OrderView, PricingRequest, Recipients, RequestPayment,
};

body! {
    /// Where an order goes.
    pub struct NewCheckout {
        /// Among those of the customer; the order keeps it as it is now.
        #[schema(value_type = Option<i64>)]
        pub shipping_address_id: Option<AddressId>,
        /// Where the bill goes, if it goes elsewhere.
        #[schema(value_type = Option<i64>)]
        pub billing_address_id: Option<AddressId>,
        /// Absent where `payment` says it, or staff see to it.
        #[schema(schema_with = payment_method)]
        pub payment_method: Option<PaymentMethod>,
        #[schema(value_type = Option<String>, min_length = 1, max_length = 40, pattern = "^[ ]*[A-Za-z0-9_-]+[ ]*$")]
        pub discount_code: Option<DiscountCode>,
        /// Where the goods go: two letters of ISO 3166-1, in upper case. Shipping and taxes depend on it. With an address
        /// it is the address's, and need not be told.
        #[schema(value_type = Option<String>, pattern = "^[A-Z]{2}$")]
        pub shipping_country: Option<Country>,
        /// What it is paid with at once; needed for every method but `invoice`.
        #[schema(schema_with = payments::choice)]
        pub payment: Option<payments::Choice>,
    }
}

body! {
    /// Who a guest is, and where the order goes.
    pub struct GuestCheckout {
        #[schema(value_type = String, min_length = 1, max_length = 200, example = "Jo Miller")]
        pub name: Name,
        /// Where mails about the order go.
        #[schema(value_type = String, format = Email, example = "jo@example.com")]
        pub email: Email,
        #[schema(value_type = NewAddress)]
        pub shipping_address: GivenAddress,
        /// Where the bill goes, if it goes elsewhere.
        #[schema(value_type = Option<NewAddress>)]
        pub billing_address: Option<GivenAddress>,
        /// Absent where `payment` says it, or staff see to it.
        #[schema(schema_with = payment_method)]
        pub payment_method: Option<PaymentMethod>,
        #[schema(value_type = Option<String>, min_length = 1, max_length = 40, pattern = "^[ ]*[A-Za-z0-9_-]+[ ]*$")]
        pub discount_code: Option<DiscountCode>,
        /// What it is paid with at once; needed for every method but `invoice`.
        #[schema(schema_with = payments::choice)]
        pub payment: Option<payments::Choice>,
    }
}

fn payment_method() -> Object {
    description::words(["invoice", "test", "card"])
}

/// Orders what a customer's cart holds
#[utoipa::path(post, path = "/customer/{customer_id}/cart/checkout", tag = "carts", security(("bearer" = ["owner", "editor"])),
    request_body = NewCheckout,
    params(("customer_id" = i64, Path), CommandParams), responses((status = 201, body = OrderView), CommandProblems))]
pub async fn check_out(
    State(shop): State<Shop>,
    Ids(customer_id): Ids<i64>,
    command: Command<NewCheckout>,
) -> Result<Answer<OrderView>, ApiError> {
    let customer_id = CustomerId(customer_id);
    let body = command.body;
    let (payment_method, instrument) = chosen(&shop, body.payment_method, body.payment)?;
    let mut shipping = known_address(&shop, customer_id, body.shipping_address_id).await?;
    if let (Some(address), Some(told)) = (&mut shipping, &body.shipping_country) {
        // The order is refused if the address is elsewhere; a quote writes nothing that could be.
        if command.context.dry_run && address.country.as_ref().is_some_and(|country| country != told) {
            return Err(Refusal::AddressChanged.into());
        }
        address.country = Some(told.clone());
    }
    let country = shipping.as_ref().and_then(|address| address.country.clone()).or(body.shipping_country);
    let billing = known_address(&shop, customer_id, body.billing_address_id).await?;
    let checkout = Checkout {
        cart_id: CartId::Customer(customer_id),
        recipients: Recipients::Customer { shipping, billing },
        payment_method,
        pricing: PricingRequest { country, discount_code: body.discount_code },
        instrument,
        payment_policy: shop.payment_policy.clone(),
    };
    let order = shop.run(checkout, command.context).await?;
    Ok(order.created(|order| format!("/shop/api/order/{}/", order.order_id)))
}

/// Orders what a guest's cart holds
#[utoipa::path(post, path = "/carts/{cart_token}/checkout", tag = "carts", security((), ("bearer" = [])),
    request_body = GuestCheckout,
    params(("cart_token" = Uuid, Path), CommandParams), responses((status = 201, body = OrderView), CommandProblems))]
pub async fn check_out_guest(
    State(shop): State<Shop>,
    Ids(token): Ids<Uuid>,
    command: Command<GuestCheckout>,
) -> Result<Answer<OrderView>, ApiError> {
    let body = command.body;
    let (payment_method, instrument) = chosen(&shop, body.payment_method, body.payment)?;
    let shipping = body.shipping_address.0;
    let pricing = PricingRequest { country: Some(shipping.country.clone()), discount_code: body.discount_code };
    let billing = body.billing_address.map(|address| address.0);
    let guest = Guest { name: body.name, email: body.email, shipping, billing };
    let checkout = Checkout {
        cart_id: CartId::of_token(token),
        recipients: Recipients::Guest(Box::new(guest)),
        payment_method,
        pricing,
        instrument,
        payment_policy: shop.payment_policy.clone(),
    };
    let order = shop.run(checkout, command.context).await?;
    // Where a guest may look.
    Ok(order.created(|order| format!("/shop/api/carts/{token}/order/{}/", order.order_id)))
}

body! {
    /// What a guest pays with.
    pub struct GuestPayment {
        #[schema(schema_with = payments::choice)]
        pub payment: payments::Choice,
    }
}

/// How it is paid, and what the provider is shown.
fn chosen(
    shop: &Shop,
    method: Option<PaymentMethod>,
    payment: Option<payments::Choice>,
) -> Result<(Option<PaymentMethod>, Option<PaymentToken>), ApiError> {
    let (chosen, instrument) = shop.instrument(method, payment)?.unzip();
    Ok((chosen.or(method), instrument))
}

/// An order that a guest placed from this cart
#[utoipa::path(get, path = "/carts/{cart_token}/order/{order_id}", tag = "carts", security((), ("bearer" = [])),
    params(("cart_token" = Uuid, Path), ("order_id" = i64, Path)),
    responses((status = 200, body = Summary), (status = 404, body = Problem)))]
pub async fn find_guests_order(
    State(shop): State<Shop>,
    Ids((token, order_id)): Ids<(Uuid, i64)>,
) -> Result<Versioned<Summary>, ApiError> {
    check_came_from(&shop, token, order_id).await?;
    summary(&shop, order_id).await
}

/// Asks a provider again for what a guest's order costs, after an attempt that failed
#[utoipa::path(post, path = "/carts/{cart_token}/order/{order_id}/pay", tag = "carts", security((), ("bearer" = [])),
    request_body = GuestPayment,
    params(("cart_token" = Uuid, Path), ("order_id" = i64, Path), CommandParams),
    responses((status = 200, body = OrderStateView), CommandProblems))]
pub async fn pay_guests_order(
    State(shop): State<Shop>,
    Ids((token, order_id)): Ids<(Uuid, i64)>,
    command: Command<GuestPayment>,
) -> Result<Answer<OrderStateView>, ApiError> {
    check_came_from(&shop, token, order_id).await?;
    let chosen = shop.instrument(None, Some(command.body.payment))?;
    let (method, token) = chosen.ok_or_else(|| ApiError::invalid_field("payment", "is required"))?;
    shop.run(RequestPayment { order_id: OrderId(order_id), method, token }, command.context).await
}

/// The log knows which cart an order came from; the token of that cart is the key to the order as well.
async fn check_came_from(shop: &Shop, token: Uuid, order_id: i64) -> Result<(), ApiError> {
    let came_from: bool = sqlx::query_scalar(
        "select exists (
            select from events
            where aggregate_type = 'Cart' and aggregate_id = $1 and event_type = 'CartCheckedOut'
                and payload ->> 'order_id' = $2::text
        )",
    )
    .bind(CartId::of_token(token).to_string())
    .bind(order_id)
    .fetch_one(&shop.pool)
    .await?;
    if came_from { Ok(()) } else { Err(unknown()) }
}

/// Forgets the guest who placed an order: name, addresses, e-mail
#[utoipa::path(delete, path = "/order/{order_id}/contact", tag = "orders", security(("bearer" = ["editor"])),
    params(("order_id" = i64, Path), CommandParams), responses((status = 204), CommandProblems))]
pub async fn erase_contact(
    State(shop): State<Shop>,
    Ids(order_id): Ids<i64>,
    command: Command<NoBody>,
) -> Result<Answer<()>, ApiError> {
    shop.run(EraseContact { order_id: OrderId(order_id) }, command.context).await
}
