//! Rules that can refuse a command of an order.

use thiserror::Error;

use super::{Action, Order, PlacedOrder};
use crate::domain::counted::counted;
use crate::domain::customer::Country;
use crate::domain::ids::CustomerId;
use crate::domain::money::Money;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OrderError {
    #[error("order not found")]
    NotFound,
    #[error("the order already exists")]
    AlreadyPlaced,
    #[error("an order must have at least one line")]
    NoLines,
    #[error("an order can have at most {} lines", Order::MAX_LINES)]
    TooManyLines,
    #[error("the total is above {}", Money::MAX)]
    TotalTooLarge,
    /// Carries the order, so that an answer can list what its caller may do instead.
    #[error("{}", illegal(*action, order))]
    IllegalMove { action: Action, order: Box<PlacedOrder> },
    #[error("the order has no line {0}")]
    UnknownLine(i64),
    #[error("line {0} is named twice")]
    DuplicateLine(i64),
    #[error("line {line} has {} left, not {requested}", counted(*.available, "unit", "units"))]
    TooManyUnits { line: i64, requested: i64, available: i64 },
    #[error(
        "line {line} has {} left, not {requested}; use cancel for units that are not shipped",
        counted(*.shipped, "shipped unit", "shipped units")
    )]
    NotShipped { line: i64, requested: i64, shipped: i64 },
    #[error(
        "line {line} has {}, not {requested}; use return for shipped units",
        counted(*.unshipped, "unshipped unit", "unshipped units")
    )]
    AlreadyShipped { line: i64, requested: i64, unshipped: i64 },
    #[error("units of the order are already shipped; cancel the others by their lines")]
    PartlyShipped,
    #[error("all units are already shipped")]
    NothingToShip,
    #[error("every shipment is already delivered")]
    NothingToDeliver,
    #[error("the order has no shipment {0}")]
    UnknownShipment(i64),
    #[error("shipment {0} is already delivered")]
    AlreadyDelivered(i64),
    #[error("the order must be paid before it is shipped")]
    NotPaid,
    #[error("the order has no amount due")]
    NothingDue,
    #[error("the outcome of the last payment attempt is not known yet")]
    PaymentPending,
    #[error("at most {refundable} can be refunded")]
    RefundTooLarge { refundable: Money },
    #[error("the payment method has no payment provider; choose an online method")]
    NoProvider,
    #[error("another attempt has already paid the order")]
    PaidByOtherAttempt,
    #[error("the order has no payment attempt {0}")]
    UnknownAttempt(i64),
    #[error("the order belongs to customer {0}, whose profile has name and e-mail address")]
    HasCustomer(CustomerId),
    #[error("the order has no refund {0}")]
    UnknownRefund(i64),
    #[error("a payment must be above 0.00 and at most the amount due, {due}")]
    PaymentTooLarge { due: Money },
    #[error("the order is refunded, or its refund is requested; nothing of it can be shipped")]
    Refunded,
    #[error("the order has no shipping address; enter one, or record that the buyer collected the goods")]
    AddressMissing,
    #[error("addresses and contact can be corrected only while units are still to be sent")]
    NothingToSend,
    #[error("the buyer's personal data is erased")]
    ContactErased,
    #[error("the order has no contact yet; send name and email")]
    ContactIncomplete,
    #[error("shipping or taxes cost something else in {0}; cancel the order and place it again")]
    CountryChangesPrice(Country),
    #[error("the order is not closed yet")]
    StillOpen,
}

fn illegal(action: Action, order: &PlacedOrder) -> String {
    format!("cannot {} an order with {}", action.as_str(), order.states)
}
