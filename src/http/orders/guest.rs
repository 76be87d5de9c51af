//! The orders of guests: seen and paid with the token of their cart, and forgotten.

use axum::extract::State;
use uuid::Uuid;

use crate::domain::ids::{CartId, OrderId};
use crate::http::App;
use crate::http::orders::summary::{Summary, summary};
use crate::http::orders::unknown;
use crate::http::payments;
use crate::http::wire::body::{NoBody, body};
use crate::http::wire::command::{Answer, Command, CommandParams, CommandProblems};
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{Ids, Versioned};
use crate::shop::{EraseContact, OrderStateView, RequestPayment};

body! {
    /// What a guest pays with.
    pub struct GuestPayment {
        #[schema(schema_with = payments::choice)]
        pub payment: payments::Choice,
    }
}

/// An order that a guest placed from this cart
#[utoipa::path(get, path = "/carts/{cart_token}/order/{order_id}", tag = "carts", security((), ("bearer" = [])),
    params(("cart_token" = Uuid, Path), ("order_id" = i64, Path)),
    responses((status = 200, body = Summary), (status = 404, body = Problem)))]
pub async fn find_guests_order(
    State(app): State<App>,
    Ids((token, order_id)): Ids<(Uuid, i64)>,
) -> Result<Versioned<Summary>, ApiError> {
    check_came_from(&app, token, order_id).await?;
    summary(&app, order_id).await
}

/// Asks a provider again for what a guest's order costs, after an attempt that failed
#[utoipa::path(post, path = "/carts/{cart_token}/order/{order_id}/pay", tag = "carts", security((), ("bearer" = [])),
    request_body = GuestPayment,
    params(("cart_token" = Uuid, Path), ("order_id" = i64, Path), CommandParams),
    responses((status = 200, body = OrderStateView), CommandProblems))]
pub async fn pay_guests_order(
    State(app): State<App>,
    Ids((token, order_id)): Ids<(Uuid, i64)>,
    command: Command<GuestPayment>,
) -> Result<Answer<OrderStateView>, ApiError> {
    check_came_from(&app, token, order_id).await?;
    let chosen = app.instrument(None, Some(command.body.payment))?;
    let (method, token) = chosen.ok_or_else(|| ApiError::invalid_field("payment", "is required"))?;
    app.run(RequestPayment { order_id: OrderId(order_id), method, token }, command.context).await
}

/// The log knows which cart an order came from; the token of that cart is the key to the order as well.
async fn check_came_from(app: &App, token: Uuid, order_id: i64) -> Result<(), ApiError> {
    let came_from: bool = sqlx::query_scalar(
        "select exists (
            select from events
            where aggregate_type = 'Cart' and aggregate_id = $1 and event_type = 'CartCheckedOut'
                and payload ->> 'order_id' = $2::text
        )",
    )
    .bind(CartId::of_token(token).to_string())
    .bind(order_id)
    .fetch_one(&app.pool)
    .await?;
    if came_from { Ok(()) } else { Err(unknown()) }
}

/// Forgets the guest who placed an order: name, addresses, e-mail
#[utoipa::path(delete, path = "/order/{order_id}/contact", tag = "orders", security(("bearer" = ["editor"])),
    params(("order_id" = i64, Path), CommandParams), responses((status = 204), CommandProblems))]
pub async fn erase_contact(
    State(app): State<App>,
    Ids(order_id): Ids<i64>,
    command: Command<NoBody>,
) -> Result<Answer<()>, ApiError> {
    app.run(EraseContact { order_id: OrderId(order_id) }, command.context).await
}
