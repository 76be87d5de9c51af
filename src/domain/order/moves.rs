//! The allowed moves of an order, as one table.
//!
//! An order has three states at once. An action is allowed if the table has a row for the action and each of the states
//! that its rows name. A row from a state to itself means that the action may keep that state.
//! A property test checks that orders change by rows of this table only.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::words::words;

words!(
    /// Status of an order in its life cycle.
    #[derive(Default)]
    Status {
        #[default]
        Pending = "pending",
        Processing = "processing",
        Shipped = "shipped",
        Completed = "completed",
        Cancelled = "cancelled",
    }
);

words!(
    /// State of an order's payment.
    #[derive(Default)]
    Payment {
        #[default]
        Pending = "pending",
        /// The provider holds the money for the shop.
        Authorised = "authorised",
        /// The shop has received a part of the money.
        PartiallyPaid = "partially_paid",
        Paid = "paid",
        PartiallyRefunded = "partially_refunded",
        Refunded = "refunded",
        Failed = "failed",
    }
);

words!(
    /// State of an order's goods.
    #[derive(Default)]
    Fulfilment {
        #[default]
        Unfulfilled = "unfulfilled",
        PartiallyShipped = "partially_shipped",
        Shipped = "shipped",
        Delivered = "delivered",
        Returned = "returned",
    }
);

words!(
    /// Action on an order; clients name it by the last part of the route.
    Action {
        Process = "process",
        Pay = "pay",
        Ship = "ship",
        Deliver = "deliver",
        Cancel = "cancel",
        Return = "return",
        Refund = "refund",
        /// The provider holds the money.
        Authorise = "authorise",
        /// The provider has captured the money.
        Capture = "capture",
        /// The payment attempt has failed.
        Fail = "fail",
    }
);

/// One of the three states of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StateValue {
    Status(Status),
    Payment(Payment),
    Fulfilment(Fulfilment),
}

/// One allowed change of one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    pub action: Action,
    pub from: StateValue,
    pub to: StateValue,
}

const fn status(action: Action, from: Status, to: Status) -> Move {
    Move { action, from: StateValue::Status(from), to: StateValue::Status(to) }
}

const fn payment(action: Action, from: Payment, to: Payment) -> Move {
    Move { action, from: StateValue::Payment(from), to: StateValue::Payment(to) }
}

const fn fulfilment(action: Action, from: Fulfilment, to: Fulfilment) -> Move {
    Move { action, from: StateValue::Fulfilment(from), to: StateValue::Fulfilment(to) }
}

/// Every allowed move.
pub const MOVES: &[Move] = {
    use Action::{Authorise, Cancel, Capture, Deliver, Fail, Pay, Process, Refund, Return, Ship};
    use {Fulfilment as F, Payment as P, Status as S};
    &[
        status(Process, S::Pending, S::Processing),
        status(Pay, S::Pending, S::Pending),
        status(Pay, S::Processing, S::Processing),
        status(Pay, S::Shipped, S::Shipped),
        status(Pay, S::Completed, S::Completed),
        payment(Pay, P::Pending, P::Pending),
        payment(Pay, P::Pending, P::PartiallyPaid),
        payment(Pay, P::Pending, P::Paid),
        payment(Pay, P::Failed, P::Pending),
        payment(Pay, P::Failed, P::PartiallyPaid),
        payment(Pay, P::Failed, P::Paid),
        payment(Pay, P::PartiallyPaid, P::Pending),
        payment(Pay, P::PartiallyPaid, P::PartiallyPaid),
        payment(Pay, P::PartiallyPaid, P::Paid),
        status(Ship, S::Processing, S::Processing),
        status(Ship, S::Processing, S::Shipped),
        fulfilment(Ship, F::Unfulfilled, F::PartiallyShipped),
        fulfilment(Ship, F::Unfulfilled, F::Shipped),
        fulfilment(Ship, F::PartiallyShipped, F::PartiallyShipped),
        fulfilment(Ship, F::PartiallyShipped, F::Shipped),
        status(Deliver, S::Processing, S::Processing),
        status(Deliver, S::Shipped, S::Shipped),
        status(Deliver, S::Shipped, S::Completed),
        fulfilment(Deliver, F::PartiallyShipped, F::PartiallyShipped),
        fulfilment(Deliver, F::Shipped, F::Shipped),
        fulfilment(Deliver, F::Shipped, F::Delivered),
        // Orders of older logs, which did not end when everything came back.
        fulfilment(Deliver, F::Returned, F::Returned),
        status(Cancel, S::Pending, S::Pending),
        status(Cancel, S::Pending, S::Cancelled),
        status(Cancel, S::Processing, S::Processing),
        status(Cancel, S::Processing, S::Shipped),
        status(Cancel, S::Processing, S::Completed),
        status(Cancel, S::Processing, S::Cancelled),
        payment(Cancel, P::Pending, P::Pending),
        payment(Cancel, P::Pending, P::Paid),
        payment(Cancel, P::Pending, P::PartiallyRefunded),
        payment(Cancel, P::Pending, P::Refunded),
        payment(Cancel, P::Authorised, P::Authorised),
        payment(Cancel, P::Authorised, P::PartiallyRefunded),
        payment(Cancel, P::Authorised, P::Refunded),
        payment(Cancel, P::PartiallyPaid, P::PartiallyPaid),
        payment(Cancel, P::PartiallyPaid, P::Paid),
        payment(Cancel, P::PartiallyPaid, P::PartiallyRefunded),
        payment(Cancel, P::PartiallyPaid, P::Refunded),
        payment(Cancel, P::Paid, P::Paid),
        payment(Cancel, P::Paid, P::PartiallyRefunded),
        payment(Cancel, P::Paid, P::Refunded),
        payment(Cancel, P::PartiallyRefunded, P::PartiallyRefunded),
        payment(Cancel, P::PartiallyRefunded, P::Refunded),
        payment(Cancel, P::Refunded, P::Refunded),
        payment(Cancel, P::Failed, P::Failed),
        payment(Cancel, P::Failed, P::Paid),
        fulfilment(Cancel, F::Unfulfilled, F::Unfulfilled),
        fulfilment(Cancel, F::PartiallyShipped, F::PartiallyShipped),
        fulfilment(Cancel, F::PartiallyShipped, F::Shipped),
        fulfilment(Cancel, F::PartiallyShipped, F::Delivered),
        fulfilment(Cancel, F::PartiallyShipped, F::Returned),
        status(Return, S::Processing, S::Processing),
        status(Return, S::Shipped, S::Shipped),
        status(Return, S::Shipped, S::Completed),
        status(Return, S::Completed, S::Completed),
        payment(Return, P::Pending, P::Pending),
        payment(Return, P::Pending, P::PartiallyPaid),
        payment(Return, P::Pending, P::Paid),
        payment(Return, P::Pending, P::PartiallyRefunded),
        payment(Return, P::Pending, P::Refunded),
        payment(Return, P::PartiallyPaid, P::PartiallyPaid),
        payment(Return, P::PartiallyPaid, P::Paid),
        payment(Return, P::PartiallyPaid, P::PartiallyRefunded),
        payment(Return, P::PartiallyPaid, P::Refunded),
        payment(Return, P::Paid, P::Paid),
        payment(Return, P::Paid, P::PartiallyRefunded),
        payment(Return, P::Paid, P::Refunded),
        payment(Return, P::PartiallyRefunded, P::PartiallyRefunded),
        payment(Return, P::PartiallyRefunded, P::Refunded),
        payment(Return, P::Refunded, P::Refunded),
        payment(Return, P::Failed, P::Failed),
        payment(Return, P::Failed, P::Paid),
        fulfilment(Return, F::PartiallyShipped, F::PartiallyShipped),
        fulfilment(Return, F::Shipped, F::Shipped),
        fulfilment(Return, F::Shipped, F::Returned),
        fulfilment(Return, F::Delivered, F::Delivered),
        fulfilment(Return, F::Delivered, F::Returned),
        payment(Refund, P::PartiallyPaid, P::PartiallyPaid),
        payment(Refund, P::PartiallyPaid, P::Refunded),
        payment(Refund, P::Paid, P::Paid),
        payment(Refund, P::Paid, P::PartiallyRefunded),
        payment(Refund, P::Paid, P::Refunded),
        payment(Refund, P::PartiallyRefunded, P::PartiallyRefunded),
        payment(Refund, P::PartiallyRefunded, P::Refunded),
        payment(Authorise, P::Pending, P::Authorised),
        payment(Authorise, P::Failed, P::Authorised),
        payment(Authorise, P::PartiallyPaid, P::Authorised),
        payment(Capture, P::Pending, P::PartiallyPaid),
        payment(Capture, P::Pending, P::Paid),
        payment(Capture, P::Authorised, P::PartiallyPaid),
        payment(Capture, P::Authorised, P::Paid),
        payment(Capture, P::PartiallyPaid, P::PartiallyPaid),
        payment(Capture, P::PartiallyPaid, P::Paid),
        payment(Capture, P::Failed, P::PartiallyPaid),
        payment(Capture, P::Failed, P::Paid),
        payment(Fail, P::Pending, P::Failed),
        payment(Fail, P::Pending, P::PartiallyPaid),
        payment(Fail, P::Pending, P::Paid),
        payment(Fail, P::Authorised, P::Failed),
        payment(Fail, P::Authorised, P::PartiallyPaid),
        payment(Fail, P::Authorised, P::Paid),
        payment(Fail, P::PartiallyPaid, P::PartiallyPaid),
    ]
};

impl StateValue {
    /// Name of the state: `status`, `payment` or `fulfilment`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Status(_) => "status",
            Self::Payment(_) => "payment",
            Self::Fulfilment(_) => "fulfilment",
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Status(status) => status.as_str(),
            Self::Payment(payment) => payment.as_str(),
            Self::Fulfilment(fulfilment) => fulfilment.as_str(),
        }
    }
}

/// The three states of an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderStates {
    pub status: Status,
    #[serde(default)]
    pub payment: Payment,
    #[serde(default)]
    pub fulfilment: Fulfilment,
}

impl fmt::Display for OrderStates {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, payment, fulfilment } = self;
        let [status, payment, fulfilment] = [status.as_str(), payment.as_str(), fulfilment.as_str()];
        write!(formatter, "status: {status}, payment: {payment}, fulfilment: {fulfilment}")
    }
}

impl OrderStates {
    /// Status, payment and fulfilment, in this order.
    pub fn each(self) -> [StateValue; 3] {
        [StateValue::Status(self.status), StateValue::Payment(self.payment), StateValue::Fulfilment(self.fulfilment)]
    }

    /// Whether the table allows an action in these states.
    pub fn allow(self, action: Action) -> bool {
        self.each().into_iter().all(|state| {
            let mut rows =
                MOVES.iter().filter(|row| row.action == action && row.from.name() == state.name()).peekable();
            rows.peek().is_none() || rows.any(|row| row.from == state)
        })
    }
}
