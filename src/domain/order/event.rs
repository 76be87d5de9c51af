//! What can happen to an order. Every event carries what its readers need, so that they keep no orders.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::bill::PaymentMethod;
use super::line::{OrderLine, OrderedUnits, ReturnedUnits, SentUnits};
use super::moves::{Fulfilment, Payment};
use super::pricing::OrderPricing;
use crate::domain::customer::Country;
use crate::domain::ids::CustomerId;
use crate::domain::money::Money;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event")]
pub enum OrderEvent {
    #[serde(rename = "OrderPlaced")]
    Placed {
        customer_id: Option<CustomerId>,
        placed_at: DateTime<Utc>,
        reference: Option<String>,
        total: Money,
        lines: Vec<OrderLine>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payment_method: Option<PaymentMethod>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pay_by: Option<DateTime<Utc>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shipping_country: Option<Country>,
        /// Without it the total is the sum of the subtotals.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pricing: Option<OrderPricing>,
    },
    #[serde(rename = "OrderProcessingStarted")]
    ProcessingStarted {},
    #[serde(rename = "OrderShipmentSent")]
    ShipmentSent {
        /// Counts from 1.
        shipment: i64,
        carrier: Option<String>,
        tracking_number: Option<String>,
        lines: Vec<SentUnits>,
        fulfilment: Fulfilment,
    },
    #[serde(rename = "OrderShipmentDelivered")]
    ShipmentDelivered { shipment: i64, fulfilment: Fulfilment },
    /// Nothing is left to be sent. Before there were shipments it said that everything was sent at once.
    #[serde(rename = "OrderShipped")]
    Shipped {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fulfilment: Option<Fulfilment>,
    },
    #[serde(rename = "OrderCompleted")]
    Completed {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fulfilment: Option<Fulfilment>,
    },
    /// Carries again what was ordered and not taken back before, and what the order was still worth.
    #[serde(rename = "OrderCancelled")]
    Cancelled {
        reason: Option<String>,
        customer_id: Option<CustomerId>,
        placed_at: DateTime<Utc>,
        total: Money,
        lines: Vec<OrderedUnits>,
    },
    #[serde(rename = "OrderReturned")]
    Returned {
        reason: Option<String>,
        lines: Vec<ReturnedUnits>,
        /// By how much the order is worth less: what was not paid of it yet.
        credit: Money,
        fulfilment: Fulfilment,
        customer_id: Option<CustomerId>,
        placed_at: DateTime<Utc>,
    },
    /// The provider is to be asked.
    #[serde(rename = "OrderPaymentRequested")]
    PaymentRequested { attempt: i64, method: PaymentMethod, amount: Money },
    #[serde(rename = "OrderPaymentAuthorised")]
    PaymentAuthorised { attempt: i64, amount: Money, reference: String },
    #[serde(rename = "OrderPaymentFailed")]
    PaymentFailed { attempt: i64, reason: String },
    /// Without an attempt if staff got the money, or nothing was due.
    #[serde(rename = "OrderPaid")]
    Paid { attempt: Option<i64>, amount: Money, reference: Option<String> },
    /// The provider is to give money back.
    #[serde(rename = "OrderRefundRequested")]
    RefundRequested {
        /// Counts from 1.
        refund: i64,
        amount: Money,
        reason: Option<String>,
    },
    #[serde(rename = "OrderRefunded")]
    Refunded {
        refund: i64,
        amount: Money,
        /// By how much the order is worth less.
        credit: Money,
        payment: Payment,
        reference: Option<String>,
        reason: Option<String>,
        customer_id: Option<CustomerId>,
        placed_at: DateTime<Utc>,
    },
    #[serde(rename = "OrderRefundFailed")]
    RefundFailed { refund: i64, reason: String },
    /// Who the guest was that ordered is forgotten.
    #[serde(rename = "OrderContactErased")]
    ContactErased {},
}

impl OrderEvent {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Placed { .. } => "OrderPlaced",
            Self::ProcessingStarted {} => "OrderProcessingStarted",
            Self::ShipmentSent { .. } => "OrderShipmentSent",
            Self::ShipmentDelivered { .. } => "OrderShipmentDelivered",
            Self::Shipped { .. } => "OrderShipped",
            Self::Completed { .. } => "OrderCompleted",
            Self::Cancelled { .. } => "OrderCancelled",
            Self::Returned { .. } => "OrderReturned",
            Self::PaymentRequested { .. } => "OrderPaymentRequested",
            Self::PaymentAuthorised { .. } => "OrderPaymentAuthorised",
            Self::PaymentFailed { .. } => "OrderPaymentFailed",
            Self::Paid { .. } => "OrderPaid",
            Self::RefundRequested { .. } => "OrderRefundRequested",
            Self::Refunded { .. } => "OrderRefunded",
            Self::RefundFailed { .. } => "OrderRefundFailed",
            Self::ContactErased {} => "OrderContactErased",
        }
    }
}
