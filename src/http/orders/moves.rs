//! Moves of an order: process, pay, ship, deliver, cancel, return and refund.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::account::Role;
use crate::domain::ids::OrderId;
use crate::domain::money::Money;
use crate::domain::order::{
    Action, LineUnits, MOVES, Mover, OrderCommand, PaymentMethod, ReturnLine, StateValue, TrackingNumber,
};
use crate::domain::quantity::Quantity;
use crate::domain::text::{Reason, Reference};
use crate::http::App;
use crate::http::orders::movers::Movers;
use crate::http::payments;
use crate::http::wire::body::{NoBody, body};
use crate::http::wire::command::{Command, CommandParams, CommandProblems, CommandResponse};
use crate::http::wire::error::ApiError;
use crate::http::wire::page::Ids;
use crate::shop::{MoveOrder, OrderStateView, RequestPayment, canonical_carrier};

/// A state of an order that a move changes.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "it only describes the answer for OpenAPI")]
enum MovedState {
    Status,
    Payment,
    Fulfilment,
}

/// An allowed change of the status, payment state or fulfilment state of an order.
#[derive(Serialize, ToSchema)]
pub struct AllowedMove {
    /// Last part of the route. The payment provider reports `authorise`, `capture` and `fail`.
    pub action: Action,
    /// `status`, `payment` or `fulfilment`.
    #[schema(value_type = MovedState)]
    pub state: &'static str,
    pub from: &'static str,
    /// The same as `from` if the action may leave the state unchanged.
    pub to: &'static str,
}

body! {
    /// How an order is paid.
    #[schema(examples(json!({ "reference": "INV-4711" })))]
    pub struct PaymentRequest {
        /// Optional; if present it must equal `payment.method`.
        pub method: Option<PaymentMethod>,
        /// The card to charge; if absent, staff record that the shop received money.
        pub payment: Option<payments::InstrumentField>,
        /// Money that staff received; the amount due if absent. Not allowed with `payment` or `method`.
        pub amount: Option<Money>,
        /// The payment's number in another system.
        pub reference: Option<Reference>,
    }
}

body! {
    /// Units handed to a carrier, or to the buyer.
    #[schema(examples(json!({ "carrier": "DHL", "tracking_number": "00340434161094042557", "lines": [{ "line": 1, "quantity": 2 }] })))]
    pub struct Shipment {
        /// `DHL`, `DPD`, `UPS`, `Hermes`, or the name of another carrier.
        pub carrier: Option<crate::domain::order::Carrier>,
        pub tracking_number: Option<TrackingNumber>,
        /// Lines to ship; all unshipped units if absent.
        #[schema(min_items = 1, max_items = 2_000, nullable = false)]
        pub lines: Option<Vec<SentLine>>,
        /// `true` if the buyer collects the units: no address is needed, and there is no carrier.
        pub collected: Option<bool>,
    }
}

body! {
    #[derive(Clone, Copy)]
    pub struct SentLine {
        /// Number of the line in the order, from 1.
        pub line: i64,
        pub quantity: Quantity,
    }
}

impl From<SentLine> for LineUnits {
    fn from(SentLine { line, quantity }: SentLine) -> Self {
        Self { line, quantity }
    }
}

body! {
    /// The shipment that was delivered.
    #[schema(examples(json!({ "shipment": 1 })))]
    pub struct Arrival {
        /// Number of the shipment in the order, from 1; all undelivered shipments if absent.
        pub shipment: Option<i64>,
    }
}

body! {
    /// The units to cancel, and the reason.
    #[schema(examples(
        json!({ "lines": [{ "line": 1, "quantity": 2 }], "reason": "broken in the warehouse" }),
        json!({ "reason": "ordered twice" }),
    ))]
    pub struct Cancellation {
        /// Unshipped units to cancel, by staff only; the whole order if absent.
        #[schema(min_items = 1, max_items = 2_000, nullable = false)]
        pub lines: Option<Vec<SentLine>>,
        pub reason: Option<Reason>,
    }
}

body! {
    /// Shipped units to return.
    #[schema(examples(json!({ "lines": [{ "line": 1, "quantity": 1, "restock": true }], "reason": "damaged" })))]
    pub struct Return {
        #[schema(min_items = 1, max_items = 2_000)]
        pub lines: Vec<ReturnedLine>,
        /// `true` refunds the price of the returned units at once; otherwise use `refund/`.
        pub refund: Option<bool>,
        pub reason: Option<Reason>,
    }
}

body! {
    #[derive(Clone, Copy)]
    pub struct ReturnedLine {
        /// Number of the line in the order, from 1.
        pub line: i64,
        pub quantity: Quantity,
        /// Whether the units are added to the stock again; `true` if absent.
        pub restock: Option<bool>,
    }
}

body! {
    /// Money to refund.
    #[schema(examples(json!({ "amount": "8.50", "reason": "damaged" })))]
    pub struct RefundRequest {
        /// Amount to refund; the whole refundable amount if absent.
        pub amount: Option<Money>,
        pub reason: Option<Reason>,
    }
}

/// Start processing an order
#[utoipa::path(post, path = "/order/{order_id}/process", tag = "orders", security(("bearer" = ["editor"])),
    params(("order_id" = OrderId, Path), CommandParams), responses((status = 200, body = OrderStateView), CommandProblems))]
pub async fn process_order(
    State(app): State<App>,
    Ids(order_id): Ids<OrderId>,
    movers: Movers,
    command: Command<NoBody>,
) -> Result<CommandResponse<OrderStateView>, ApiError> {
    run(&app, &movers, order_id, command.map(|NoBody| OrderCommand::Process)).await
}

/// Pay an order with a card, or record that it is paid
///
/// A buyer charges a card, for example after a failed attempt. Staff may also record money that the shop received: the
/// amount due, or a part of it with `amount`, after which the payment is `partially_paid`.
#[utoipa::path(post, path = "/order/{order_id}/pay", tag = "orders", security(("bearer" = ["owner", "editor"])),
    request_body = PaymentRequest,
    params(("order_id" = OrderId, Path), CommandParams), responses((status = 200, body = OrderStateView), CommandProblems))]
pub async fn pay_order(
    State(app): State<App>,
    Ids(order_id): Ids<OrderId>,
    movers: Movers,
    command: Command<PaymentRequest>,
) -> Result<CommandResponse<OrderStateView>, ApiError> {
    let by_buyer = command.context.actor.role == Role::Customer.as_str();
    let Command { body: PaymentRequest { method, payment, amount, reference }, context } = command;
    if amount.is_some() && (method.is_some() || payment.is_some()) {
        return Err(ApiError::invalid_field(
            "amount",
            "is for money that staff received; a card is charged all that is due",
        ));
    }
    if amount.is_some_and(Money::is_zero) {
        return Err(ApiError::invalid_field("amount", "must be above 0.00"));
    }
    match app.instrument(method, payment)? {
        Some((method, token)) => {
            if let Some(buyer) = app.buyer(&context.actor, false, None) {
                buyer.require_offered(method)?;
            }
            movers.run(&app, order_id, RequestPayment { order_id, method, token }, context).await
        }
        None if by_buyer => Err(ApiError::invalid_field("payment", "is required")),
        None => {
            let command = match method {
                // The order refuses a method that is not online.
                Some(_) => OrderCommand::RequestPayment { method },
                None => OrderCommand::MarkPaid { amount, reference },
            };
            movers.run(&app, order_id, MoveOrder { order_id, command }, context).await
        }
    }
}

/// Ship units of an order; they leave the stock
///
/// The order needs a shipping address, unless the buyer collects the units.
/// More units than are on hand are refused with 409 `not_on_hand`.
#[utoipa::path(post, path = "/order/{order_id}/ship", tag = "orders", security(("bearer" = ["editor"])),
    request_body = Shipment,
    params(("order_id" = OrderId, Path), CommandParams), responses((status = 200, body = OrderStateView), CommandProblems))]
pub async fn ship_order(
    State(app): State<App>,
    Ids(order_id): Ids<OrderId>,
    movers: Movers,
    command: Command<Shipment>,
) -> Result<CommandResponse<OrderStateView>, ApiError> {
    if command.body.lines.as_ref().is_some_and(Vec::is_empty) {
        return Err(ApiError::invalid_field("lines", "must not be empty"));
    }
    let collected = command.body.collected.unwrap_or(false);
    let Shipment { carrier, tracking_number, .. } = &command.body;
    let of_carriers = [("carrier", carrier.is_some()), ("tracking_number", tracking_number.is_some())];
    if let Some((field, _)) = of_carriers.into_iter().find(|(_, given)| collected && *given) {
        return Err(ApiError::invalid_field(field, "must be absent if the buyer collects the units"));
    }
    let ship = |Shipment { carrier, tracking_number, lines, .. }| OrderCommand::Ship {
        carrier: carrier.map(canonical_carrier),
        tracking_number,
        lines: lines.into_iter().flatten().map(LineUnits::from).collect(),
        collected,
    };
    run(&app, &movers, order_id, command.map(ship)).await
}

/// Record the delivery of a shipment, or of all shipments
#[utoipa::path(post, path = "/order/{order_id}/deliver", tag = "orders", security(("bearer" = ["editor"])),
    request_body = Arrival,
    params(("order_id" = OrderId, Path), CommandParams), responses((status = 200, body = OrderStateView), CommandProblems))]
pub async fn deliver_shipment(
    State(app): State<App>,
    Ids(order_id): Ids<OrderId>,
    movers: Movers,
    command: Command<Arrival>,
) -> Result<CommandResponse<OrderStateView>, ApiError> {
    run(&app, &movers, order_id, command.map(|Arrival { shipment }| OrderCommand::Deliver { shipment })).await
}

/// Cancel an order or unshipped units of it; releases their stock and refunds their payment
///
/// Without `lines`, cancels the whole order, if nothing is shipped. With `lines`, staff cancel units that are not
/// shipped, also of a partly shipped order: their unpaid part is no longer due, their paid part is refunded. An order
/// with nothing left to ship becomes `shipped`, `completed` or `cancelled` automatically.
#[utoipa::path(post, path = "/order/{order_id}/cancel", tag = "orders", security(("bearer" = ["owner", "editor"])),
    request_body = Cancellation,
    params(("order_id" = OrderId, Path), CommandParams), responses((status = 200, body = OrderStateView), CommandProblems))]
pub async fn cancel_order(
    State(app): State<App>,
    Ids(order_id): Ids<OrderId>,
    movers: Movers,
    command: Command<Cancellation>,
) -> Result<CommandResponse<OrderStateView>, ApiError> {
    let by_staff = movers.mover(Action::Cancel) == Some(Mover::Staff);
    match &command.body.lines {
        Some(lines) if lines.is_empty() => return Err(ApiError::invalid_field("lines", "must not be empty")),
        // A buyer who could cancel units would keep the discount and the free shipping of a larger order.
        Some(_) if !by_staff => {
            return Err(ApiError::forbidden(
                "only staff cancel single units; without lines, the whole order is cancelled",
            ));
        }
        _ => {}
    }
    let cancel = |Cancellation { lines, reason }| match lines {
        Some(lines) => OrderCommand::CancelUnits { lines: lines.into_iter().map(LineUnits::from).collect(), reason },
        None => OrderCommand::Cancel { reason },
    };
    run(&app, &movers, order_id, command.map(cancel)).await
}

/// Return shipped units of an order
///
/// Any unpaid part of the returned units is no longer due. Units that were not shipped are cancelled instead. If every
/// unit came back or was cancelled, the order is completed.
#[utoipa::path(post, path = "/order/{order_id}/return", tag = "orders", security(("bearer" = ["editor"])),
    request_body = Return,
    params(("order_id" = OrderId, Path), CommandParams), responses((status = 200, body = OrderStateView), CommandProblems))]
pub async fn return_units(
    State(app): State<App>,
    Ids(order_id): Ids<OrderId>,
    movers: Movers,
    command: Command<Return>,
) -> Result<CommandResponse<OrderStateView>, ApiError> {
    if command.body.lines.is_empty() {
        return Err(ApiError::invalid_field("lines", "must not be empty"));
    }
    let line = |ReturnedLine { line, quantity, restock }: ReturnedLine| {
        let restock = restock.unwrap_or(true);
        ReturnLine { line, quantity, restock }
    };
    let return_units = |Return { lines, refund, reason }| OrderCommand::Return {
        lines: lines.into_iter().map(line).collect(),
        refund: refund.unwrap_or(false),
        reason,
    };
    run(&app, &movers, order_id, command.map(return_units)).await
}

/// Refund money, at most what was paid
#[utoipa::path(post, path = "/order/{order_id}/refund", tag = "orders", security(("bearer" = ["editor"])),
    request_body = RefundRequest,
    params(("order_id" = OrderId, Path), CommandParams), responses((status = 200, body = OrderStateView), CommandProblems))]
pub async fn refund_order(
    State(app): State<App>,
    Ids(order_id): Ids<OrderId>,
    movers: Movers,
    command: Command<RefundRequest>,
) -> Result<CommandResponse<OrderStateView>, ApiError> {
    run(
        &app,
        &movers,
        order_id,
        command.map(|RefundRequest { amount, reason }| OrderCommand::Refund { amount, reason }),
    )
    .await
}

/// List the allowed moves of an order
///
/// Each row names an action, one of the three states, and a value (`from`) of that state that allows the action.
/// An action is allowed if, for each state that its rows name, the value of the order is one of these values, and if the
/// order has units or money for it. `allowed` of an order's summary takes both and the caller's role into account.
#[utoipa::path(get, path = "/order-moves", tag = "orders", security(()),
    responses((status = 200, body = Vec<AllowedMove>)))]
pub async fn list_moves() -> Json<Vec<AllowedMove>> {
    let shown = MOVES.iter().map(|allowed| AllowedMove {
        action: allowed.action,
        state: StateValue::name(allowed.from),
        from: allowed.from.as_str(),
        to: allowed.to.as_str(),
    });
    Json(shown.collect())
}

async fn run(
    app: &App,
    movers: &Movers,
    order_id: OrderId,
    command: Command<OrderCommand>,
) -> Result<CommandResponse<OrderStateView>, ApiError> {
    movers.run(app, order_id, MoveOrder { order_id, command: command.body }, command.context).await
}
