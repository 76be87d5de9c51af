//! Checkout: a cart becomes an order, with who gets it and where.

use axum::extract::State;
use utoipa::openapi::Object;
use uuid::Uuid;

use super::Shop;
use super::addresses::NewAddress;
use super::body::body;
use super::command::{Answer, Command, CommandParams, CommandProblems};
use super::description;
use super::error::ApiError;
use super::page::Ids;
use super::recipients::{GivenAddress, known_address};
use crate::domain::ids::{AddressId, CartId, CustomerId};
use crate::domain::order::PaymentMethod;
use crate::domain::text::{Email, Name};
use crate::shop::{Checkout, OrderView, Recipients};

body! {
    /// Where an order goes.
    pub struct NewCheckout {
        /// Among those of the customer; the order keeps it as it is now.
        #[schema(value_type = Option<i64>)]
        pub shipping_address_id: Option<AddressId>,
        /// Where the bill goes, if it goes elsewhere.
        #[schema(value_type = Option<i64>)]
        pub billing_address_id: Option<AddressId>,
        /// Absent where staff see to it.
        #[schema(schema_with = payment_method)]
        pub payment_method: Option<PaymentMethod>,
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
        /// Absent where staff see to it.
        #[schema(schema_with = payment_method)]
        pub payment_method: Option<PaymentMethod>,
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
    let NewCheckout { shipping_address_id, billing_address_id, payment_method } = command.body;
    let recipients = Recipients::Customer {
        shipping: known_address(&shop, customer_id, shipping_address_id).await?,
        billing: known_address(&shop, customer_id, billing_address_id).await?,
    };
    let checkout =
        Checkout { cart_id: CartId::Customer(customer_id), recipients, payment_method, terms: shop.terms.clone() };
    Ok(placed(shop.run(checkout, command.context).await?))
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
    let GuestCheckout { name, email, shipping_address, billing_address, payment_method } = command.body;
    let recipients = Recipients::Guest {
        name,
        email,
        shipping: shipping_address.0,
        billing: billing_address.map(|address| address.0),
    };
    let checkout = Checkout { cart_id: CartId::of_token(token), recipients, payment_method, terms: shop.terms.clone() };
    Ok(placed(shop.run(checkout, command.context).await?))
}

fn placed(order: Answer<OrderView>) -> Answer<OrderView> {
    order.created(|order| format!("/shop/api/order/{}/", order.order_id))
}
