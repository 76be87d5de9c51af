//! Every rule that an order can refuse a command for.

use thiserror::Error;

use super::{Action, Order, OrderStates};
use crate::domain::ids::CustomerId;
use crate::domain::money::Money;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OrderError {
    #[error("order not found")]
    NotFound,
    #[error("the order exists already")]
    AlreadyPlaced,
    #[error("an order has at least one line")]
    NoLines,
    #[error("an order has at most {} lines", Order::MAX_LINES)]
    TooManyLines,
    #[error("the total is above {}", Money::MAX)]
    TotalTooLarge,
    #[error("{}", illegal(*action, *states))]
    IllegalMove { action: Action, states: OrderStates },
    #[error("the order has no line {0}")]
    UnknownLine(i64),
    #[error("line {0} is named twice")]
    DuplicateLine(i64),
    #[error("of line {line} {available} units are left, not {requested}")]
    TooManyUnits { line: i64, requested: i64, available: i64 },
    #[error("there is nothing left to be shipped")]
    NothingToShip,
    #[error("the order has no shipment {0}")]
    UnknownShipment(i64),
    #[error("shipment {0} has arrived already")]
    AlreadyDelivered(i64),
    #[error("the order is to be paid before it is shipped")]
    NotPaid,
    #[error("nothing is due")]
    NothingDue,
    #[error("the provider has not said yet what became of the payment")]
    PaymentPending,
    #[error("at most {refundable} can be given back")]
    RefundTooLarge { refundable: Money },
    #[error("no provider can be asked for the money; name another method")]
    NoProvider,
    #[error("the order was paid by another attempt")]
    PaidByOtherAttempt,
    #[error("the order has no payment attempt {0}")]
    UnknownAttempt(i64),
    #[error("the order is of customer {0}, who can be forgotten")]
    HasCustomer(CustomerId),
    #[error("the order has no refund {0}")]
    UnknownRefund(i64),
}

fn illegal(action: Action, states: OrderStates) -> String {
    let allowed: Vec<_> = states.allowed().into_iter().map(Action::as_str).collect();
    let allowed = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
    let [status, payment, fulfilment] = states.each().map(super::StateValue::as_str);
    format!("cannot {} an order that is {status}, {payment} and {fulfilment}; allowed: {allowed}", action.as_str())
}
