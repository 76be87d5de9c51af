//! What may be done with an order, as one table.
//!
//! An order has three states at once. An action is allowed when each of the states that the table names for it is one
//! that it may begin from; every change of a state is a row, and a row from a state to itself says that the action may
//! leave it as it is. A property test walks the table and nothing else.

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$variant_meta])* #[serde(rename = $word)] $variant,)* }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    };
}

words!(
    /// Where an order is in its life.
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
    /// Where the money is.
    #[derive(Default)]
    Payment {
        #[default]
        Pending = "pending",
        /// The provider holds it for the shop.
        Authorised = "authorised",
        Paid = "paid",
        PartiallyRefunded = "partially_refunded",
        Refunded = "refunded",
        Failed = "failed",
    }
);

words!(
    /// Where the goods are.
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
    /// What can be done with an order: for clients the last part of the route.
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
        /// The provider has taken the money.
        Capture = "capture",
        /// The provider could not get the money.
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
        payment(Pay, P::Pending, P::Paid),
        payment(Pay, P::Failed, P::Pending),
        payment(Pay, P::Failed, P::Paid),
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
        status(Cancel, S::Pending, S::Cancelled),
        status(Cancel, S::Processing, S::Cancelled),
        payment(Cancel, P::Pending, P::Pending),
        payment(Cancel, P::Authorised, P::Authorised),
        payment(Cancel, P::Paid, P::Paid),
        payment(Cancel, P::Paid, P::Refunded),
        payment(Cancel, P::PartiallyRefunded, P::PartiallyRefunded),
        payment(Cancel, P::PartiallyRefunded, P::Refunded),
        payment(Cancel, P::Refunded, P::Refunded),
        payment(Cancel, P::Failed, P::Failed),
        fulfilment(Cancel, F::Unfulfilled, F::Unfulfilled),
        status(Return, S::Pending, S::Pending),
        status(Return, S::Pending, S::Cancelled),
        status(Return, S::Processing, S::Processing),
        status(Return, S::Processing, S::Shipped),
        status(Return, S::Processing, S::Completed),
        status(Return, S::Processing, S::Cancelled),
        status(Return, S::Shipped, S::Shipped),
        status(Return, S::Completed, S::Completed),
        payment(Return, P::Pending, P::Pending),
        payment(Return, P::Paid, P::Paid),
        payment(Return, P::Paid, P::PartiallyRefunded),
        payment(Return, P::Paid, P::Refunded),
        payment(Return, P::PartiallyRefunded, P::PartiallyRefunded),
        payment(Return, P::PartiallyRefunded, P::Refunded),
        payment(Return, P::Refunded, P::Refunded),
        payment(Return, P::Failed, P::Failed),
        fulfilment(Return, F::Unfulfilled, F::Unfulfilled),
        fulfilment(Return, F::PartiallyShipped, F::PartiallyShipped),
        fulfilment(Return, F::PartiallyShipped, F::Shipped),
        fulfilment(Return, F::PartiallyShipped, F::Delivered),
        fulfilment(Return, F::PartiallyShipped, F::Returned),
        fulfilment(Return, F::Shipped, F::Shipped),
        fulfilment(Return, F::Shipped, F::Returned),
        fulfilment(Return, F::Delivered, F::Delivered),
        fulfilment(Return, F::Delivered, F::Returned),
        payment(Refund, P::Paid, P::Paid),
        payment(Refund, P::Paid, P::PartiallyRefunded),
        payment(Refund, P::Paid, P::Refunded),
        payment(Refund, P::PartiallyRefunded, P::PartiallyRefunded),
        payment(Refund, P::PartiallyRefunded, P::Refunded),
        payment(Authorise, P::Pending, P::Authorised),
        payment(Authorise, P::Failed, P::Authorised),
        payment(Capture, P::Pending, P::Paid),
        payment(Capture, P::Authorised, P::Paid),
        payment(Capture, P::Failed, P::Paid),
        payment(Fail, P::Pending, P::Failed),
        payment(Fail, P::Authorised, P::Failed),
    ]
};

impl StateValue {
    /// Which of the three it is.
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

impl OrderStates {
    pub fn each(self) -> [StateValue; 3] {
        [StateValue::Status(self.status), StateValue::Payment(self.payment), StateValue::Fulfilment(self.fulfilment)]
    }

    pub fn allow(self, action: Action) -> bool {
        self.each().into_iter().all(|state| {
            let mut rows =
                MOVES.iter().filter(|row| row.action == action && row.from.name() == state.name()).peekable();
            rows.peek().is_none() || rows.any(|row| row.from == state)
        })
    }

    /// What clients may do next.
    pub fn allowed(self) -> Vec<Action> {
        let for_clients = Action::ALL.iter().copied().filter(|action| *action < Action::Authorise);
        for_clients.filter(|action| self.allow(*action)).collect()
    }
}
