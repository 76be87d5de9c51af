//! Checkout: a cart becomes an order, with who gets it and where.

use axum::extract::State;
use utoipa::openapi::Object;
use uuid::Uuid;

use crate::domain::customer::Country;
use crate::domain::discount::DiscountCode;
use crate::domain::ids::{AddressId, CartId, CustomerId};
use crate::domain::order::{PaymentMethod, PaymentToken};
use crate::domain::refusal::Refusal;
use crate::domain::text::{Email, Name};
use crate::http::App;
use crate::http::customers::addresses::{GivenAddress, NewAddress, known_address};
use crate::http::payments;
use crate::http::wire::body::body;
use crate::http::wire::command::{Answer, Command, CommandParams, CommandProblems};
use crate::http::wire::error::ApiError;
use crate::http::wire::openapi;
use crate::http::wire::page::Ids;
use crate::shop::{Checkout, Guest, OrderView, PricingRequest, Recipients};

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
    openapi::words(["invoice", "test", "card"])
}

/// Orders what a customer's cart holds
#[utoipa::path(post, path = "/customer/{customer_id}/cart/checkout", tag = "carts", security(("bearer" = ["owner", "editor"])),
    request_body = NewCheckout,
    params(("customer_id" = i64, Path), CommandParams), responses((status = 201, body = OrderView), CommandProblems))]
pub async fn check_out(
    State(app): State<App>,
    Ids(customer_id): Ids<i64>,
    command: Command<NewCheckout>,
) -> Result<Answer<OrderView>, ApiError> {
    let customer_id = CustomerId(customer_id);
    let body = command.body;
    let (payment_method, instrument) = chosen(&app, body.payment_method, body.payment)?;
    let mut shipping = known_address(&app, customer_id, body.shipping_address_id).await?;
    if let (Some(address), Some(told)) = (&mut shipping, &body.shipping_country) {
        // The order is refused if the address is elsewhere; a quote writes nothing that could be.
        if command.context.dry_run && address.country.as_ref().is_some_and(|country| country != told) {
            return Err(Refusal::AddressChanged.into());
        }
        address.country = Some(told.clone());
    }
    let country = shipping.as_ref().and_then(|address| address.country.clone()).or(body.shipping_country);
    let billing = known_address(&app, customer_id, body.billing_address_id).await?;
    let checkout = Checkout {
        cart_id: CartId::Customer(customer_id),
        recipients: Recipients::Customer { shipping, billing },
        payment_method,
        pricing: PricingRequest { country, discount_code: body.discount_code },
        instrument,
        payment_policy: app.payment_policy.clone(),
    };
    let order = app.run(checkout, command.context).await?;
    Ok(order.created(|order| format!("/shop/api/order/{}/", order.order_id)))
}

/// Orders what a guest's cart holds
#[utoipa::path(post, path = "/carts/{cart_token}/checkout", tag = "carts", security((), ("bearer" = [])),
    request_body = GuestCheckout,
    params(("cart_token" = Uuid, Path), CommandParams), responses((status = 201, body = OrderView), CommandProblems))]
pub async fn check_out_guest(
    State(app): State<App>,
    Ids(token): Ids<Uuid>,
    command: Command<GuestCheckout>,
) -> Result<Answer<OrderView>, ApiError> {
    let body = command.body;
    let (payment_method, instrument) = chosen(&app, body.payment_method, body.payment)?;
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
        payment_policy: app.payment_policy.clone(),
    };
    let order = app.run(checkout, command.context).await?;
    // Where a guest may look.
    Ok(order.created(|order| format!("/shop/api/carts/{token}/order/{}/", order.order_id)))
}

/// How it is paid, and what the provider is shown.
fn chosen(
    app: &App,
    method: Option<PaymentMethod>,
    payment: Option<payments::Choice>,
) -> Result<(Option<PaymentMethod>, Option<PaymentToken>), ApiError> {
    let (chosen, instrument) = app.instrument(method, payment)?.unzip();
    Ok((chosen.or(method), instrument))
}
