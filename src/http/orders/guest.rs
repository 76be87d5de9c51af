//! Orders of guests: read and paid with the token of the cart, and erasure of the guest.

use axum::extract::State;
use axum::response::Response;
use uuid::Uuid;

use crate::domain::ids::{CartId, OrderId};
use crate::http::App;
use crate::http::erasures::{ErasureQuery, erasure_response};
use crate::http::orders::movers::Movers;
use crate::http::orders::order_not_found;
use crate::http::orders::summary::{Summary, read_summary};
use crate::http::payments;
use crate::http::wire::body::{NoBody, body};
use crate::http::wire::command::{Command, CommandParams, CommandProblems, CommandResponse, CommandWith};
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{Ids, Versioned};
use crate::shop::{EraseContact, ErasureView, KeepContact, OrderStateView, RequestPayment};

body! {
    /// The card to charge.
    #[schema(examples(json!({ "payment": { "method": "test", "card_number": "4242424242424242" } })))]
    pub struct GuestPayment {
        pub payment: payments::InstrumentField,
    }
}

/// Get an order that was placed from this guest's cart
#[utoipa::path(get, path = "/carts/{cart_token}/order/{order_id}", tag = "carts", security((), ("bearer" = [])),
    params(("cart_token" = Uuid, Path), ("order_id" = OrderId, Path)),
    responses((status = 200, body = Summary), (status = 404, body = Problem)))]
pub async fn find_guest_order(
    State(app): State<App>,
    Ids((token, order_id)): Ids<(Uuid, OrderId)>,
    movers: Movers,
) -> Result<Versioned<Summary>, ApiError> {
    require_order_of_cart(&app, token, order_id).await?;
    read_summary(&app, order_id, &movers).await
}

/// Retry the payment of a guest's order after a failed attempt
#[utoipa::path(post, path = "/carts/{cart_token}/order/{order_id}/pay", tag = "carts", security((), ("bearer" = [])),
    request_body = GuestPayment,
    params(("cart_token" = Uuid, Path), ("order_id" = OrderId, Path), CommandParams),
    responses((status = 200, body = OrderStateView), CommandProblems))]
pub async fn pay_guest_order(
    State(app): State<App>,
    Ids((token, order_id)): Ids<(Uuid, OrderId)>,
    movers: Movers,
    command: Command<GuestPayment>,
) -> Result<CommandResponse<OrderStateView>, ApiError> {
    require_order_of_cart(&app, token, order_id).await?;
    let chosen = app.instrument(None, Some(command.body.payment))?;
    let (method, token) = chosen.ok_or_else(|| ApiError::invalid_field("payment", "is required"))?;
    if let Some(buyer) = app.buyer(&command.context.actor, true, None) {
        buyer.require_offered(method)?;
    }
    movers.run(&app, order_id, RequestPayment { order_id, method, token }, command.context).await
}

/// 404 unless the order was placed from the cart of this token, which is the key to the order too.
async fn require_order_of_cart(app: &App, token: Uuid, order_id: OrderId) -> Result<(), ApiError> {
    let came_from: bool = sqlx::query_scalar(
        "select exists (
            select from event_log
            where aggregate_type = 'Cart' and aggregate_id = $1 and event_type = 'CartCheckedOut'
                and payload ->> 'order_id' = $2::text
        )",
    )
    .bind(CartId::of_token(token).to_string())
    .bind(order_id.0)
    .fetch_one(&app.pool)
    .await?;
    if came_from { Ok(()) } else { Err(order_not_found()) }
}

/// Erase the guest's personal data of an order: name, addresses, e-mail
///
/// An open order is 409 `open_orders`: something is still to be sent, delivered, paid or refunded. With
/// `when=orders_closed` the shop erases the data when the order is closed.
#[utoipa::path(delete, path = "/order/{order_id}/contact", tag = "orders", security(("bearer" = ["editor"])),
    params(("order_id" = OrderId, Path), ErasureQuery, CommandParams),
    responses((status = 204), (status = 202, body = ErasureView), CommandProblems))]
pub async fn erase_contact(
    State(app): State<App>,
    Ids(order_id): Ids<OrderId>,
    command: CommandWith<NoBody, ErasureQuery>,
) -> Result<Response, ApiError> {
    let CommandWith { body: NoBody, context, query } = command;
    let erased = app.run(EraseContact { order_id, when_closed: query.when.is_some() }, context).await?;
    Ok(erasure_response(erased))
}

/// Withdraw the waiting erasure of a guest's personal data
#[utoipa::path(delete, path = "/order/{order_id}/contact/erasure", tag = "orders", security(("bearer" = ["editor"])),
    params(("order_id" = OrderId, Path), CommandParams), responses((status = 204), CommandProblems))]
pub async fn withdraw_contact_erasure(
    State(app): State<App>,
    Ids(order_id): Ids<OrderId>,
    command: Command<NoBody>,
) -> Result<CommandResponse<()>, ApiError> {
    app.run(KeepContact { order_id }, command.context).await
}
