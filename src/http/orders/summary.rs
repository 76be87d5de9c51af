//! Everything about one order on one page: its states, its money, its lines, its shipments and refunds.

use axum::extract::State;
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::domain::money::two_decimals;
use crate::domain::order::{Action, OrderStates, PaymentFailure, tracking_url};
use crate::http::App;
use crate::http::orders::recipients::{Contact, Known, OrderAddress, known};
use crate::http::orders::unknown;
use crate::http::wire::consistency::snapshot;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::format::money;
use crate::http::wire::page::{Ids, Versioned};
use crate::shop::PricingView;

/// Everything about an order.
#[derive(Serialize, ToSchema)]
pub struct Summary {
    pub order_id: i64,
    pub status: String,
    pub payment: String,
    pub fulfilment: String,
    pub placed_at: DateTime<Utc>,
    /// `null` for a guest.
    pub customer_id: Option<i64>,
    pub reference: Option<String>,
    pub lines: Vec<SummaryLine>,
    #[serde(serialize_with = "money")]
    #[schema(value_type = String, example = "19.98")]
    pub total_amount: Decimal,
    /// By how much the order has been worth less since it was placed.
    #[serde(serialize_with = "money")]
    #[schema(value_type = String, example = "0.00")]
    pub credited: Decimal,
    #[serde(serialize_with = "money")]
    #[schema(value_type = String, example = "19.98")]
    pub paid: Decimal,
    #[serde(serialize_with = "money")]
    #[schema(value_type = String, example = "0.00")]
    pub refunded: Decimal,
    /// What is still to be paid.
    #[serde(serialize_with = "money")]
    #[schema(value_type = String, example = "0.00")]
    pub due: Decimal,
    /// `null` where staff see to it.
    pub payment_method: Option<String>,
    /// Why the last attempt to pay failed, such as `insufficient_funds`; `null` if it did not.
    pub payment_failure: Option<String>,
    /// When the order is cancelled if it is not paid by then.
    pub pay_by: Option<DateTime<Utc>>,
    /// Two letters of ISO 3166-1, if the buyer named one.
    pub shipping_country: Option<String>,
    /// What the total is made of; `null` where it is the sum of the subtotals.
    pub pricing: Option<PricingView>,
    pub shipments: Vec<SummaryShipment>,
    pub refunds: Vec<SummaryRefund>,
    /// Who the guest is that ordered, until that is forgotten; `null` for a customer.
    pub contact: Option<Contact>,
    /// Where it is sent and billed to, as far as that is known.
    pub addresses: Vec<OrderAddress>,
    /// What may be done with it next: the last part of the route.
    #[schema(value_type = Vec<String>)]
    pub allowed: Vec<Action>,
}

#[derive(Serialize, ToSchema)]
pub struct SummaryLine {
    /// Counts from 1.
    pub line: i64,
    pub product_id: i64,
    pub product_name: String,
    pub quantity: i64,
    #[serde(serialize_with = "money")]
    #[schema(value_type = String, example = "9.99")]
    pub price_per_unit: Decimal,
    #[serde(serialize_with = "money")]
    #[schema(value_type = String, example = "19.98")]
    pub subtotal: Decimal,
    /// The line's part of the order's discount; `null`, as the next three, where the order has no pricing.
    #[schema(value_type = Option<String>, example = "1.00")]
    pub discount: Option<String>,
    #[schema(example = "19")]
    pub tax_rate: Option<String>,
    #[schema(value_type = Option<String>, example = "1.44")]
    pub tax: Option<String>,
    /// What the buyer is to pay for the line, tax included.
    #[schema(value_type = Option<String>, example = "8.99")]
    pub total: Option<String>,
    pub shipped: i64,
    /// Units that were taken back before they were sent.
    pub withdrawn: i64,
    /// Units that came back.
    pub returned: i64,
}

#[derive(Serialize, ToSchema)]
pub struct SummaryShipment {
    /// Counts from 1.
    pub shipment: i64,
    pub carrier: Option<String>,
    pub tracking_number: Option<String>,
    /// Where it can be followed, with a carrier that the shop knows.
    pub tracking_url: Option<String>,
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

#[derive(Serialize, ToSchema)]
pub struct SummaryRefund {
    /// Counts from 1.
    pub refund: i64,
    #[serde(serialize_with = "money")]
    #[schema(value_type = String, example = "9.99")]
    pub amount: Decimal,
    /// `requested`, `done` or `failed`.
    pub state: String,
    pub reason: Option<String>,
    /// Why it failed.
    pub failure: Option<String>,
    pub asked_at: DateTime<Utc>,
    pub done_at: Option<DateTime<Utc>>,
}

/// Everything about an order
#[utoipa::path(get, path = "/order/{order_id}/summary", tag = "orders", security(("bearer" = ["owner", "reader"])),
    params(("order_id" = i64, Path)),
    responses((status = 200, body = Summary), (status = 404, body = Problem)))]
pub async fn find(State(app): State<App>, Ids(order_id): Ids<i64>) -> Result<Versioned<Summary>, ApiError> {
    summary(&app, order_id).await
}

/// Everything about an order, for those who may see it.
pub async fn summary(app: &App, order_id: i64) -> Result<Versioned<Summary>, ApiError> {
    // One snapshot for all, so that lines and states speak of the same moment.
    let mut transaction = snapshot(&app.pool, "orders, order_lines, shipments, shipment_lines, refunds").await?;
    let order = sqlx::query_file!("projections/orders/find.sql", order_id)
        .fetch_optional(&mut *transaction)
        .await?
        .ok_or_else(unknown)?;
    let lines =
        sqlx::query_file!("projections/order_lines/by_order.sql", order_id).fetch_all(&mut *transaction).await?;
    let sent = sqlx::query_file!("projections/shipments/by_order.sql", order_id).fetch_all(&mut *transaction).await?;
    let refunds = sqlx::query_file_as!(SummaryRefund, "projections/refunds/by_order.sql", order_id)
        .fetch_all(&mut *transaction)
        .await?;
    let payment_failure = match order.payment.as_str() {
        "failed" => last_failure(&mut transaction, order_id).await?,
        _ => None,
    };
    let Known { contact, addresses } = known(&mut transaction, order_id).await?;
    transaction.commit().await?;

    let states = OrderStates {
        status: word(&order.status)?,
        payment: word(&order.payment)?,
        fulfilment: word(&order.fulfilment)?,
    };
    let mut shipments: Vec<SummaryShipment> = Vec::new();
    for row in sent {
        if shipments.last().is_none_or(|last| last.shipment != row.shipment) {
            let tracked = row.carrier.as_deref().zip(row.tracking_number.as_deref());
            shipments.push(SummaryShipment {
                shipment: row.shipment,
                tracking_url: tracked.and_then(|(carrier, number)| tracking_url(carrier, number)),
                carrier: row.carrier,
                tracking_number: row.tracking_number,
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
        price_per_unit: line.price_per_unit,
        subtotal: line.subtotal,
        discount: line.discount.map(two_decimals),
        tax_rate: line.tax_rate,
        tax: line.tax.map(two_decimals),
        total: line.total.map(two_decimals),
        shipped: line.shipped,
        withdrawn: line.withdrawn,
        returned: line.returned,
    });
    let pricing = order.pricing.map(serde_json::from_value).transpose().map_err(ApiError::internal)?;
    let kept = order.paid - order.refunded;
    let body = Summary {
        order_id: order.order_id,
        status: order.status,
        payment: order.payment,
        fulfilment: order.fulfilment,
        placed_at: order.placed_at,
        customer_id: order.customer_id,
        reference: order.reference,
        lines: lines.collect(),
        total_amount: order.total_amount,
        credited: order.credited,
        paid: order.paid,
        refunded: order.refunded,
        due: (order.total_amount - order.credited - kept).max(Decimal::ZERO),
        payment_method: order.payment_method,
        payment_failure,
        pay_by: order.pay_by,
        shipping_country: order.shipping_country,
        pricing,
        shipments,
        refunds,
        contact,
        addresses,
        allowed: states.allowed(),
    };
    Ok(Versioned { version: order.version, body })
}

/// The provider's reason, or the shop's.
async fn last_failure(connection: &mut PgConnection, order_id: i64) -> Result<Option<String>, sqlx::Error> {
    let reason: Option<String> = sqlx::query_scalar(
        "select payload ->> 'reason'
         from events
         where aggregate_type = 'Order' and aggregate_id = $1 and event_type = 'OrderPaymentFailed'
         order by sequence desc
         limit 1",
    )
    .bind(order_id.to_string())
    .fetch_optional(connection)
    .await?;
    Ok(reason.map(PaymentFailure::from).map(String::from))
}

/// One of the words that a read table has for a state.
fn word<T: DeserializeOwned>(text: &str) -> Result<T, ApiError> {
    serde_json::from_value(text.into()).map_err(|error| ApiError::internal(error.to_string()))
}
