//! Events of an order. Each carries everything that its readers need, so that they need not look up the order.

use chrono::{DateTime, Utc};

use super::bill::PaymentMethod;
use super::line::{CancelledUnits, OrderLine, OrderedUnits, ReturnedUnits, SentUnits};
use super::moves::{Fulfilment, Payment};
use super::payment_failure::PaymentFailure;
use super::pricing::OrderPricing;
use super::recipients::{AddressKind, ContactField};
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
            /// Absent if the total is the sum of the subtotals.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pricing: Option<OrderPricing>,
            /// Digest of the request with this reference: the same request again is recognised by it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            request_digest: Option<String>,
        } = "OrderPlaced",
        ProcessingStarted {} = "OrderProcessingStarted",
        ShipmentSent {
            /// Counts from 1.
            shipment: i64,
            carrier: Option<String>,
            tracking_number: Option<String>,
            lines: Vec<SentUnits>,
            fulfilment: Fulfilment,
            /// Whether the buyer collected the units; a carrier has the others.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            collected: bool,
        } = "OrderShipmentSent",
        ShipmentDelivered { shipment: i64, fulfilment: Fulfilment } = "OrderShipmentDelivered",
        /// All units are shipped. Events without `fulfilment` are older than shipments and ship everything at once.
        Shipped {
            #[serde(default, skip_serializing_if = "Option::is_none")]
            fulfilment: Option<Fulfilment>,
        } = "OrderShipped",
        Completed {
            #[serde(default, skip_serializing_if = "Option::is_none")]
            fulfilment: Option<Fulfilment>,
        } = "OrderCompleted",
        /// Repeats the lines without earlier returns, and the value of the order before the cancellation.
        Cancelled {
            reason: Option<String>,
            customer_id: Option<CustomerId>,
            placed_at: DateTime<Utc>,
            total: Money,
            lines: Vec<OrderedUnits>,
        } = "OrderCancelled",
        /// Units that were not shipped and never will be. Their reservation ends, and nothing comes back.
        UnitsCancelled {
            reason: Option<String>,
            lines: Vec<CancelledUnits>,
            /// Reduction of the order's value: the unpaid part of the cancelled units.
            credit: Money,
            fulfilment: Fulfilment,
            customer_id: Option<CustomerId>,
            placed_at: DateTime<Utc>,
        } = "OrderUnitsCancelled",
        Returned {
            reason: Option<String>,
            lines: Vec<ReturnedUnits>,
            /// Reduction of the order's value: the unpaid part of the returned units.
            credit: Money,
            fulfilment: Fulfilment,
            customer_id: Option<CustomerId>,
            placed_at: DateTime<Utc>,
        } = "OrderReturned",
        /// Asks the payment provider for the money.
        PaymentRequested { attempt: i64, method: PaymentMethod, amount: Money } = "OrderPaymentRequested",
        PaymentAuthorised { attempt: i64, amount: Money, reference: String } = "OrderPaymentAuthorised",
        PaymentFailed {
            attempt: i64,
            reason: PaymentFailure,
            /// State of the payment after the failure; absent if it is `failed`, because nothing was received.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            payment: Option<Payment>,
        } = "OrderPaymentFailed",
        /// All that was due. Has no `attempt` if staff recorded the payment or nothing was due.
        Paid { attempt: Option<i64>, amount: Money, reference: Option<String> } = "OrderPaid",
        /// A part of the amount due; the order waits for the rest.
        PartiallyPaid {
            /// Absent if staff recorded the payment.
            attempt: Option<i64>,
            amount: Money,
            /// Amount that is still to be paid.
            due: Money,
            reference: Option<String>,
        } = "OrderPartiallyPaid",
        /// Asks the payment provider to refund money.
        RefundRequested {
            /// Counts from 1.
            refund: i64,
            amount: Money,
            reason: Option<String>,
            /// The payment attempt whose money is refunded; absent in older events: the only one that was captured.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            attempt: Option<i64>,
        } = "OrderRefundRequested",
        Refunded {
            refund: i64,
            amount: Money,
            /// Reduction of the order's value.
            credit: Money,
            payment: Payment,
            reference: Option<String>,
            reason: Option<String>,
            customer_id: Option<CustomerId>,
            placed_at: DateTime<Utc>,
        } = "OrderRefunded",
        RefundFailed { refund: i64, reason: String } = "OrderRefundFailed",
        /// The guest's contact data and addresses are erased.
        ContactErased {} = "OrderContactErased",
        /// Other addresses replace those of the order. The addresses themselves are beside the log.
        AddressesCorrected {
            kinds: Vec<AddressKind>,
            /// Country of the new shipping address.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            shipping_country: Option<Country>,
        } = "OrderAddressesCorrected",
        /// The metadata itself is beside the log.
        MetadataChanged {} = "OrderMetadataChanged",
        /// Name or e-mail address of the guest is replaced.
        ContactCorrected { fields: Vec<ContactField> } = "OrderContactCorrected",
        /// The guest's personal data is to be erased when the order is closed.
        ContactErasureRequested {} = "OrderContactErasureRequested",
        ContactErasureWithdrawn {} = "OrderContactErasureWithdrawn",
    }
}
