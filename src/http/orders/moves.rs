//! The steps of an order's life: begun, paid, sent, arrived, cancelled, taken back, given back.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::account::Role;
use crate::domain::ids::OrderId;
use crate::domain::money::Money;
use crate::domain::order::{
    Action, LineUnits, MOVES, OrderCommand, PaymentMethod, ReturnLine, StateValue, TrackingNumber, canonical_carrier,
};
use crate::domain::quantity::Quantity;
use crate::domain::text::{Reason, Reference};
use crate::http::App;
use crate::http::payments;
use crate::http::wire::body::{NoBody, body};
use crate::http::wire::command::{Answer, Command, CommandParams, CommandProblems};
use crate::http::wire::error::ApiError;
use crate::http::wire::page::Ids;
use crate::shop::{MoveOrder, OrderStateView, RequestPayment};

/// A move that an order may make: one change of one of its three states.
#[derive(Serialize, ToSchema)]
pub struct AllowedMove {
    /// The last part of the route that makes it; `authorise`, `capture` and `fail` are told by the payment provider.
    #[schema(value_type = String, example = "ship")]
    pub action: Action,
    /// `status`, `payment` or `fulfilment`.
    pub state: &'static str,
    pub from: &'static str,
    /// The same as `from` where the action may leave the state as it is.
    pub to: &'static str,
}

body! {
    /// How an order is paid.
    pub struct Payment {
        /// The method of `payment`, if it is to be said twice.
        #[schema(value_type = Option<String>)]
        pub method: Option<PaymentMethod>,
        /// What a provider is to be shown. Absent, staff note that they have got the money.
        #[schema(schema_with = payments::choice)]
        pub payment: Option<payments::Choice>,
        /// Where the money is found in other books.
        #[schema(value_type = Option<String>, min_length = 1, max_length = 100)]
        pub reference: Option<Reference>,
    }
}

body! {
    /// What is handed to a carrier.
    pub struct Shipment {
        /// `DHL`, `DPD`, `UPS`, `Hermes`, or any other by its name.
        #[schema(value_type = Option<String>, min_length = 1, max_length = 50, example = "DHL")]
        pub carrier: Option<crate::domain::order::Carrier>,
        #[schema(value_type = Option<String>, min_length = 1, max_length = 100)]
        pub tracking_number: Option<TrackingNumber>,
        /// Absent for everything that is still to be sent.
        #[schema(min_items = 1, max_items = 2_000, nullable = false)]
        pub lines: Option<Vec<SentLine>>,
    }
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SentLine {
    /// As the order counts its lines, from 1.
    line: i64,
    #[schema(value_type = i64, minimum = 1, maximum = 1_000_000)]
    quantity: Quantity,
}

body! {
    /// What has arrived.
    pub struct Arrival {
        /// As the order counts its shipments, from 1; absent for all that are on their way.
        pub shipment: Option<i64>,
    }
}

body! {
    /// Why an order is cancelled.
    pub struct Cancellation {
        #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
        pub reason: Option<Reason>,
    }
}

body! {
    /// What comes back. Of each line those units first that were sent.
    pub struct Return {
        #[schema(min_items = 1, max_items = 2_000)]
        pub lines: Vec<ReturnedLine>,
        /// Whether the money that was paid for them goes back at once; else it is a matter of a refund.
        pub refund: Option<bool>,
        #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
        pub reason: Option<Reason>,
    }
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnedLine {
    /// As the order counts its lines, from 1.
    line: i64,
    #[schema(value_type = i64, minimum = 1, maximum = 1_000_000)]
    quantity: Quantity,
    /// Whether units that were sent can be sold again.
    #[serde(default = "yes")]
    #[schema(default = true)]
    restock: bool,
}

body! {
    /// Money that goes back.
    pub struct Refund {
        /// Absent for all that can be given back.
        #[schema(value_type = Option<String>, pattern = "^[0-9]{1,12}([.][0-9]{1,2})?$", example = "8.50")]
        pub amount: Option<Money>,
        #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
        pub reason: Option<Reason>,
    }
}

fn yes() -> bool {
    true
}

/// Begins to pack an order
#[utoipa::path(post, path = "/order/{order_id}/process", tag = "orders", security(("bearer" = ["editor"])),
    params(("order_id" = i64, Path), CommandParams), responses((status = 200, body = OrderStateView), CommandProblems))]
pub async fn process(
    State(app): State<App>,
    Ids(order_id): Ids<i64>,
    command: Command<NoBody>,
) -> Result<Answer<OrderStateView>, ApiError> {
    run(&app, order_id, command.map(|NoBody| OrderCommand::Process)).await
}

/// Notes that an order is paid, or asks a provider for the money
///
/// Buyers ask a provider, after an attempt that failed for example; that the money has come is noted by staff.
#[utoipa::path(post, path = "/order/{order_id}/pay", tag = "orders", security(("bearer" = ["owner", "editor"])),
    request_body = Payment,
    params(("order_id" = i64, Path), CommandParams), responses((status = 200, body = OrderStateView), CommandProblems))]
pub async fn pay(
    State(app): State<App>,
    Ids(order_id): Ids<i64>,
    command: Command<Payment>,
) -> Result<Answer<OrderStateView>, ApiError> {
    let by_buyer = command.context.actor.role == Role::Customer.as_str();
    let Command { body: Payment { method, payment, reference }, context } = command;
    let order_id = OrderId(order_id);
    match app.instrument(method, payment)? {
        Some((method, token)) => app.run(RequestPayment { order_id, method, token }, context).await,
        None if by_buyer => Err(ApiError::invalid_field("payment", "is required")),
        None => {
            let command = match method {
                // Which is refused by its name.
                Some(_) => OrderCommand::RequestPayment { method },
                None => OrderCommand::MarkPaid { reference },
            };
            app.run(MoveOrder { order_id, command }, context).await
        }
    }
}

/// Hands units of an order to a carrier; they leave the store
#[utoipa::path(post, path = "/order/{order_id}/ship", tag = "orders", security(("bearer" = ["editor"])),
    request_body = Shipment,
    params(("order_id" = i64, Path), CommandParams), responses((status = 200, body = OrderStateView), CommandProblems))]
pub async fn ship(
    State(app): State<App>,
    Ids(order_id): Ids<i64>,
    command: Command<Shipment>,
) -> Result<Answer<OrderStateView>, ApiError> {
    if command.body.lines.as_ref().is_some_and(Vec::is_empty) {
        return Err(ApiError::invalid_field("lines", "must not be empty"));
    }
    let ship = |Shipment { carrier, tracking_number, lines }| OrderCommand::Ship {
        carrier: carrier.map(canonical_carrier),
        tracking_number,
        lines: lines.into_iter().flatten().map(|SentLine { line, quantity }| LineUnits { line, quantity }).collect(),
    };
    run(&app, order_id, command.map(ship)).await
}

/// Notes that a shipment has arrived, or all of them
#[utoipa::path(post, path = "/order/{order_id}/deliver", tag = "orders", security(("bearer" = ["editor"])),
    request_body = Arrival,
    params(("order_id" = i64, Path), CommandParams), responses((status = 200, body = OrderStateView), CommandProblems))]
pub async fn deliver(
    State(app): State<App>,
    Ids(order_id): Ids<i64>,
    command: Command<Arrival>,
) -> Result<Answer<OrderStateView>, ApiError> {
    run(&app, order_id, command.map(|Arrival { shipment }| OrderCommand::Deliver { shipment })).await
}

/// Cancels an order; its stock can be sold again, and what was paid goes back
#[utoipa::path(post, path = "/order/{order_id}/cancel", tag = "orders", security(("bearer" = ["owner", "editor"])),
    request_body = Cancellation,
    params(("order_id" = i64, Path), CommandParams), responses((status = 200, body = OrderStateView), CommandProblems))]
pub async fn cancel(
    State(app): State<App>,
    Ids(order_id): Ids<i64>,
    command: Command<Cancellation>,
) -> Result<Answer<OrderStateView>, ApiError> {
    run(&app, order_id, command.map(|Cancellation { reason }| OrderCommand::Cancel { reason })).await
}

/// Takes units back
///
/// What is not paid of them is no longer asked for. An order of which nothing was sent and nothing is left is cancelled.
#[utoipa::path(post, path = "/order/{order_id}/return", tag = "orders", security(("bearer" = ["editor"])),
    request_body = Return,
    params(("order_id" = i64, Path), CommandParams), responses((status = 200, body = OrderStateView), CommandProblems))]
pub async fn take_back(
    State(app): State<App>,
    Ids(order_id): Ids<i64>,
    command: Command<Return>,
) -> Result<Answer<OrderStateView>, ApiError> {
    let line = |ReturnedLine { line, quantity, restock }| ReturnLine { line, quantity, restock };
    let take_back = |Return { lines, refund, reason }| OrderCommand::Return {
        lines: lines.into_iter().map(line).collect(),
        refund: refund.unwrap_or(false),
        reason,
    };
    run(&app, order_id, command.map(take_back)).await
}

/// Gives money back, never more than was paid
#[utoipa::path(post, path = "/order/{order_id}/refund", tag = "orders", security(("bearer" = ["editor"])),
    request_body = Refund,
    params(("order_id" = i64, Path), CommandParams), responses((status = 200, body = OrderStateView), CommandProblems))]
pub async fn refund(
    State(app): State<App>,
    Ids(order_id): Ids<i64>,
    command: Command<Refund>,
) -> Result<Answer<OrderStateView>, ApiError> {
    run(&app, order_id, command.map(|Refund { amount, reason }| OrderCommand::Refund { amount, reason })).await
}

/// The moves that an order may make
///
/// An action is allowed when each of the three states is one that it may begin from, of those that are listed for it.
#[utoipa::path(get, path = "/order-moves", tag = "orders", security(()),
    responses((status = 200, body = Vec<AllowedMove>)))]
pub async fn list() -> Json<Vec<AllowedMove>> {
    let shown = MOVES.iter().map(|allowed| AllowedMove {
        action: allowed.action,
        state: StateValue::name(allowed.from),
        from: allowed.from.as_str(),
        to: allowed.to.as_str(),
    });
    Json(shown.collect())
}

async fn run(app: &App, order_id: i64, command: Command<OrderCommand>) -> Result<Answer<OrderStateView>, ApiError> {
    app.run(MoveOrder { order_id: OrderId(order_id), command: command.body }, command.context).await
}
