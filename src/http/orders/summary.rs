//! Summary of an order: states, amounts, lines, shipments and refunds in one response.

use std::collections::BTreeMap;

use axum::extract::State;
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::domain::ids::OrderId;
use crate::domain::order::{Action, Order, PaymentFailure};
use crate::http::App;
use crate::http::orders::movers::Movers;
use crate::http::orders::order_not_found;
use crate::http::orders::recipients::{Contact, OrderAddress, OrderRecipients, find_recipients};
use crate::http::wire::amount::Amount;
use crate::http::wire::consistency::snapshot;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{Ids, Versioned};
use crate::journal::EntityTag;
use crate::shop::{PricingView, order_digest, tracking_url};

/// An order with its lines, amounts, shipments and refunds.
#[derive(Serialize, ToSchema)]
pub struct Summary {
    pub order_id: i64,
    #[schema(value_type = crate::domain::order::Status)]
    pub status: String,
    #[schema(value_type = crate::domain::order::Payment)]
    pub payment: String,
    #[schema(value_type = crate::domain::order::Fulfilment)]
    pub fulfilment: String,
    pub placed_at: DateTime<Utc>,
    /// `null` for a guest.
    pub customer_id: Option<i64>,
    pub reference: Option<String>,
    pub lines: Vec<SummaryLine>,
    pub total_amount: Amount,
    /// Total reduction since the order was placed, by returns, refunds and cancellation.
    pub credited: Amount,
    pub paid: Amount,
    pub refunded: Amount,
    /// Amount that is still to be paid.
    pub due: Amount,
    /// `null` for an order that staff entered with `POST orders/`.
    #[schema(value_type = Option<crate::domain::order::PaymentMethod>)]
    pub payment_method: Option<String>,
    /// Why the last payment attempt failed, such as `insufficient_funds`; `null` if it did not fail.
    pub payment_failure: Option<String>,
    /// The order is cancelled at this time if the shop has received nothing for it; `null` if nothing is to be paid.
    pub pay_by: Option<DateTime<Utc>>,
    /// Country code of ISO 3166-1; `null` if the buyer named no country.
    pub shipping_country: Option<String>,
    /// Composition of the total; `null` if the total is the sum of the subtotals.
    pub pricing: Option<PricingView>,
    pub shipments: Vec<SummaryShipment>,
    pub refunds: Vec<SummaryRefund>,
    /// Name and e-mail address of a guest, until erased; `null` for a customer.
    pub contact: Option<Contact>,
    /// Shipping and billing address, until erased.
    pub addresses: Vec<OrderAddress>,
    /// Pairs of texts that staff and integrations keep with the order.
    pub metadata: BTreeMap<String, String>,
    /// The actions that the caller may take now: the last part of the route.
    pub allowed: Vec<Action>,
}

#[derive(Serialize, ToSchema)]
pub struct SummaryLine {
    /// Number of the line in the order, from 1.
    pub line: i64,
    pub product_id: i64,
    pub product_name: String,
    pub quantity: i64,
    pub price_per_unit: Amount,
    pub subtotal: Amount,
    /// The line's share of the order's discount.
    ///
    /// `discount`, `tax_rate`, `tax` and `total` are `null` if the order has no pricing.
    pub discount: Option<Amount>,
    #[schema(example = "19")]
    pub tax_rate: Option<String>,
    pub tax: Option<Amount>,
    /// Amount to pay for the line, tax included.
    pub total: Option<Amount>,
    pub shipped: i64,
    /// Units cancelled before they were shipped.
    pub withdrawn: i64,
    /// Units returned after they were shipped.
    pub returned: i64,
}

#[derive(Serialize, ToSchema)]
pub struct SummaryShipment {
    /// Number of the shipment in the order, from 1.
    pub shipment: i64,
    pub carrier: Option<String>,
    pub tracking_number: Option<String>,
    /// Tracking page of the carrier; `null` for an unknown carrier.
    pub tracking_url: Option<String>,
    /// Whether the buyer collected the units.
    pub collected: bool,
    pub sent_at: DateTime<Utc>,
    pub delivered_at: Option<DateTime<Utc>>,
    pub lines: Vec<ShipmentLine>,
}

#[derive(Serialize, ToSchema)]
pub struct ShipmentLine {
    pub line: i64,
    pub product_id: i64,
    pub quantity: i64,
}

/// State of a refund.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefundState {
    Requested,
    Done,
    Failed,
}

impl RefundState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct SummaryRefund {
    /// Number of the refund in the order, from 1.
    pub refund: i64,
    pub amount: Amount,
    /// `requested`, `done` or `failed`.
    #[schema(value_type = RefundState)]
    pub state: String,
    pub reason: Option<String>,
    /// Why the refund failed.
    pub failure: Option<String>,
    pub asked_at: DateTime<Utc>,
    pub done_at: Option<DateTime<Utc>>,
}

/// Get an order with its lines, amounts, shipments and refunds
#[utoipa::path(get, path = "/order/{order_id}/summary", tag = "orders", security(("bearer" = ["owner", "reader"])),
    params(("order_id" = OrderId, Path)),
    responses((status = 200, body = Summary), (status = 404, body = Problem)))]
pub async fn find_order_summary(
    State(app): State<App>,
    Ids(order_id): Ids<OrderId>,
    movers: Movers,
) -> Result<Versioned<Summary>, ApiError> {
    read_summary(&app, order_id, &movers).await
}

/// Reads the summary of an order; the caller has checked access.
pub async fn read_summary(app: &App, order_id: OrderId, movers: &Movers) -> Result<Versioned<Summary>, ApiError> {
    // One snapshot for all queries, so that lines and states are consistent.
    let mut transaction =
        snapshot(&app.pool, "orders, customers, order_lines, shipments, shipment_lines, refunds").await?;
    let order = sqlx::query_file!("projections/orders/find.sql", order_id.0)
        .fetch_optional(&mut *transaction)
        .await?
        .ok_or_else(order_not_found)?;
    let lines =
        sqlx::query_file!("projections/order_lines/by_order.sql", order_id.0).fetch_all(&mut *transaction).await?;
    let sent = sqlx::query_file!("projections/shipments/by_order.sql", order_id.0).fetch_all(&mut *transaction).await?;
    let refunds = sqlx::query_file_as!(SummaryRefund, "projections/refunds/by_order.sql", order_id.0)
        .fetch_all(&mut *transaction)
        .await?;
    let payment_failure = match order.payment.as_str() {
        "failed" | "partially_paid" => last_failure(&mut transaction, order_id).await?,
        _ => None,
    };
    let OrderRecipients { contact, addresses } = find_recipients(&mut transaction, order_id).await?;
    transaction.commit().await?;

    // Decided on the order itself, so that it is what the order would answer.
    let allowed = movers.allowed(&app.journal.read::<Order>(order_id).await?);
    let mut shipments: Vec<SummaryShipment> = Vec::new();
    for row in sent {
        if shipments.last().is_none_or(|last| last.shipment != row.shipment) {
            let tracked = row.carrier.as_deref().zip(row.tracking_number.as_deref());
            shipments.push(SummaryShipment {
                shipment: row.shipment,
                tracking_url: tracked.and_then(|(carrier, number)| tracking_url(carrier, number)),
                carrier: row.carrier,
                tracking_number: row.tracking_number,
                collected: row.collected,
                sent_at: row.sent_at,
                delivered_at: row.delivered_at,
                lines: Vec::new(),
            });
        }
        if let Some(last) = shipments.last_mut() {
            last.lines.push(ShipmentLine { line: row.line, product_id: row.product_id, quantity: row.quantity });
        }
    }
    let lines = lines.into_iter().map(|line| SummaryLine {
        line: line.line,
        product_id: line.product_id,
        product_name: line.product_name,
        quantity: line.quantity,
        price_per_unit: line.price_per_unit.into(),
        subtotal: line.subtotal.into(),
        discount: line.discount.map(Amount),
        tax_rate: line.tax_rate,
        tax: line.tax.map(Amount),
        total: line.total.map(Amount),
        shipped: line.shipped,
        withdrawn: line.withdrawn,
        returned: line.returned,
    });
    let pricing = order.pricing.map(serde_json::from_value).transpose().map_err(ApiError::internal)?;
    let kept = order.paid - order.refunded;
    let tag = EntityTag { version: order.version, digest: order_digest(order.customer_version) };
    let body = Summary {
        order_id: order.order_id,
        status: order.status,
        payment: order.payment,
        fulfilment: order.fulfilment,
        placed_at: order.placed_at,
        customer_id: order.customer_id,
        reference: order.reference,
        lines: lines.collect(),
        total_amount: order.total_amount.into(),
        credited: order.credited.into(),
        paid: order.paid.into(),
        refunded: order.refunded.into(),
        due: (order.total_amount - order.credited - kept).max(Decimal::ZERO).into(),
        payment_method: order.payment_method,
        payment_failure,
        pay_by: order.pay_by,
        shipping_country: order.shipping_country,
        pricing,
        shipments,
        refunds,
        contact,
        addresses,
        metadata: serde_json::from_value(order.metadata).map_err(ApiError::internal)?,
        allowed,
    };
    let actions: Vec<_> = body.allowed.iter().map(|action| action.as_str()).collect();
    // What the caller may do follows from the role as well.
    Ok(Versioned::new(tag, body).with_remark(actions))
}

/// The reason of the last failed payment attempt, from the provider or the shop.
async fn last_failure(connection: &mut PgConnection, order_id: OrderId) -> Result<Option<String>, sqlx::Error> {
    let reason: Option<String> = sqlx::query_scalar(
        "select payload ->> 'reason'
         from event_log
         where aggregate_type = 'Order' and aggregate_id = $1 and event_type = 'OrderPaymentFailed'
         order by sequence desc
         limit 1",
    )
    .bind(order_id.to_string())
    .fetch_optional(connection)
    .await?;
    Ok(reason.map(PaymentFailure::from).map(String::from))
}
