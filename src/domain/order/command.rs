//! Commands of an order.

use chrono::{DateTime, Utc};

use super::bill::PaymentMethod;
use super::line::{LineUnits, OrderLine, ReturnLine};
use super::payment_failure::PaymentFailure;
use super::recipients::ContactField;
use crate::domain::customer::Country;
use crate::domain::discount::DiscountCode;
use crate::domain::ids::CustomerId;
use crate::domain::money::Money;
use crate::domain::pricing::Priced;
use crate::domain::text::{Reason, Reference, Text};

#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a command is decided at once, and most commands place an order")]
pub enum OrderCommand {
    Place(OrderDraft),
    Process,
    /// Ships units; without lines all unshipped ones.
    Ship {
        carrier: Option<Carrier>,
        tracking_number: Option<TrackingNumber>,
        lines: Vec<LineUnits>,
        /// Whether the buyer collects them; otherwise the order needs a shipping address.
        collected: bool,
    },
    /// Records the delivery of one shipment, or of all.
    Deliver {
        shipment: Option<i64>,
    },
    /// Cancels the whole order, of which nothing is shipped.
    Cancel {
        reason: Option<Reason>,
    },
    /// Cancels units that are not shipped, and settles their money.
    CancelUnits {
        lines: Vec<LineUnits>,
        reason: Option<Reason>,
    },
    /// Cancels an unpaid order whose payment deadline is over; otherwise does nothing.
    CancelUnpaid {
        now: DateTime<Utc>,
    },
    /// Takes shipped units back.
    Return {
        lines: Vec<ReturnLine>,
        /// Whether to refund their price at once.
        refund: bool,
        reason: Option<Reason>,
    },
    /// Refunds money; without an amount all of it.
    Refund {
        amount: Option<Money>,
        reason: Option<Reason>,
    },
    /// Records that staff received money; without an amount all that is due.
    MarkPaid {
        amount: Option<Money>,
        reference: Option<Reference>,
    },
    /// Requests the amount due from a payment provider; without a method by the current one.
    RequestPayment {
        method: Option<PaymentMethod>,
    },
    RecordAuthorisation {
        attempt: i64,
        amount: Money,
        reference: ProviderReference,
    },
    RecordCapture {
        attempt: i64,
        amount: Money,
        reference: ProviderReference,
    },
    RecordPaymentFailure {
        attempt: i64,
        reason: PaymentFailure,
    },
    RecordRefund {
        refund: i64,
        reference: ProviderReference,
    },
    RecordRefundFailure {
        refund: i64,
        reason: Reason,
    },
    /// Records that other addresses replace those of the order.
    CorrectAddresses {
        /// Country of the new shipping address.
        shipping: Option<Country>,
        billing: bool,
    },
    /// Records that the guest's name or e-mail address is replaced.
    CorrectContact {
        fields: Vec<ContactField>,
    },
    /// Records that the metadata changes.
    ChangeMetadata,
    /// Erases the personal data of a guest's closed order.
    EraseContact,
    /// Records that the guest's personal data is to be erased when the order is closed.
    RequestContactErasure,
    WithdrawContactErasure,
}

/// A new order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderDraft {
    pub customer_id: Option<CustomerId>,
    pub placed_at: DateTime<Utc>,
    pub reference: Option<Reference>,
    /// Digest of the request with this reference.
    pub request_digest: Option<String>,
    /// Lines in the order of their numbers.
    pub lines: Vec<OrderLine>,
    pub payment_method: Option<PaymentMethod>,
    /// Payment deadline: an unpaid order is cancelled then.
    pub pay_by: Option<DateTime<Utc>>,
    pub shipping_country: Option<Country>,
    /// Shipping, taxes and discount for the same lines; `None` if the buyer pays the line prices only.
    pub priced: Option<Priced>,
    /// Code of the discount in `priced`.
    pub discount_code: Option<DiscountCode>,
}

/// Name of the carrier of a shipment.
pub type Carrier = Text<50>;
/// The carrier's number of a shipment.
pub type TrackingNumber = Text<100>;
/// The provider's id of a payment or refund; Stripe's have up to 255 characters.
pub type ProviderReference = Text<255>;
