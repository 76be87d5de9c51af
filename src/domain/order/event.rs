//! What can happen to an order. Every event carries what its readers need, so that they keep no orders.

use chrono::{DateTime, Utc};

use super::bill::PaymentMethod;
use super::line::{OrderLine, OrderedUnits, ReturnedUnits, SentUnits};
use super::moves::{Fulfilment, Payment};
use super::payment_failure::PaymentFailure;
use super::pricing::OrderPricing;
use crate::domain::customer::Country;
use crate::domain::event::events;
use crate::domain::ids::CustomerId;
use crate::domain::money::Money;

events! {
    pub enum OrderEvent {
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
        } = "OrderPlaced",
        ProcessingStarted {} = "OrderProcessingStarted",
        ShipmentSent {
            /// Counts from 1.
            shipment: i64,
            carrier: Option<String>,
            tracking_number: Option<String>,
            lines: Vec<SentUnits>,
            fulfilment: Fulfilment,
        } = "OrderShipmentSent",
        ShipmentDelivered { shipment: i64, fulfilment: Fulfilment } = "OrderShipmentDelivered",
        /// Nothing is left to be sent. Before there were shipments it said that everything was sent at once.
        Shipped {
            #[serde(default, skip_serializing_if = "Option::is_none")]
            fulfilment: Option<Fulfilment>,
        } = "OrderShipped",
        Completed {
            #[serde(default, skip_serializing_if = "Option::is_none")]
            fulfilment: Option<Fulfilment>,
        } = "OrderCompleted",
        /// Carries again what was ordered and not taken back before, and what the order was still worth.
        Cancelled {
            reason: Option<String>,
            customer_id: Option<CustomerId>,
            placed_at: DateTime<Utc>,
            total: Money,
            lines: Vec<OrderedUnits>,
        } = "OrderCancelled",
        Returned {
            reason: Option<String>,
            lines: Vec<ReturnedUnits>,
            /// By how much the order is worth less: what was not paid of it yet.
            credit: Money,
            fulfilment: Fulfilment,
            customer_id: Option<CustomerId>,
            placed_at: DateTime<Utc>,
        } = "OrderReturned",
        /// The provider is to be asked.
        PaymentRequested { attempt: i64, method: PaymentMethod, amount: Money } = "OrderPaymentRequested",
        PaymentAuthorised { attempt: i64, amount: Money, reference: String } = "OrderPaymentAuthorised",
        PaymentFailed { attempt: i64, reason: PaymentFailure } = "OrderPaymentFailed",
        /// Without an attempt if staff got the money, or nothing was due.
        Paid { attempt: Option<i64>, amount: Money, reference: Option<String> } = "OrderPaid",
        /// The provider is to give money back.
        RefundRequested {
            /// Counts from 1.
            refund: i64,
            amount: Money,
            reason: Option<String>,
        } = "OrderRefundRequested",
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
        } = "OrderRefunded",
        RefundFailed { refund: i64, reason: String } = "OrderRefundFailed",
        /// Who the guest was that ordered is forgotten.
        ContactErased {} = "OrderContactErased",
    }
}
