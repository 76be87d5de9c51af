//! Random steps of an order: valid, excessive, late, repeated or out of order.

use chrono::DateTime;
use proptest::prelude::*;

use crate::domain::money::Money;
use crate::domain::order::{
    Action, LineUnits, OrderCommand, OrderLine, PaymentFailure, PaymentMethod, PlacedOrder, ProviderReference,
    ReturnLine,
};
use crate::domain::quantity::Quantity;
use crate::domain::text::Reason;

#[derive(Clone, Debug)]
pub(super) enum Step {
    Process,
    Pay,
    PayPart { amount: Money },
    PayOnline,
    Ship { lines: Vec<(i64, i64)> },
    Deliver { shipment: Option<i64> },
    Cancel,
    CancelUnits { lines: Vec<(i64, i64)> },
    CancelRest,
    CancelUnpaid,
    Return { lines: Vec<(i64, i64, bool)>, refund: bool },
    ReturnAll { refund: bool },
    Refund { amount: Option<Money> },
    Authorised { before: i64 },
    Paid { before: i64 },
    PaidInPart { before: i64 },
    Failed { before: i64 },
    Refunded { refund: i64 },
    RefundFailed { refund: i64 },
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let line = || 1..=3_i64;
    let units = || 1..=4_i64;
    let money =
        || (1..=6_000_i64).prop_map(|cents| Money::parse(&format!("{}.{:02}", cents / 100, cents % 100)).unwrap());
    // Mostly the last attempt, sometimes an earlier or unknown one.
    let before = || prop_oneof![8 => Just(0), 1 => 1..=2_i64, 1 => Just(-1_i64)];
    prop_oneof![
        12 => Just(Step::Process),
        6 => Just(Step::Pay),
        5 => money().prop_map(|amount| Step::PayPart { amount }),
        3 => Just(Step::PayOnline),
        8 => Just(Step::Ship { lines: vec![] }),
        6 => Just(Step::Ship { lines: vec![(1, 1)] }),
        3 => any::<bool>().prop_map(|refund| Step::ReturnAll { refund }),
        6 => proptest::collection::vec((line(), units()), 1..3).prop_map(|lines| Step::Ship { lines }),
        12 => proptest::option::of(1..=3_i64).prop_map(|shipment| Step::Deliver { shipment }),
        2 => Just(Step::Cancel),
        8 => proptest::collection::vec((line(), units()), 1..3).prop_map(|lines| Step::CancelUnits { lines }),
        3 => Just(Step::CancelRest),
        1 => Just(Step::CancelUnpaid),
        10 => (proptest::collection::vec((line(), units(), any::<bool>()), 1..3), any::<bool>())
            .prop_map(|(lines, refund)| Step::Return { lines, refund }),
        4 => proptest::option::of(money()).prop_map(|amount| Step::Refund { amount }),
        5 => before().prop_map(|before| Step::Authorised { before }),
        6 => before().prop_map(|before| Step::Paid { before }),
        1 => before().prop_map(|before| Step::PaidInPart { before }),
        3 => before().prop_map(|before| Step::Failed { before }),
        5 => (1..=3_i64).prop_map(|refund| Step::Refunded { refund }),
        2 => (1..=3_i64).prop_map(|refund| Step::RefundFailed { refund }),
    ]
}

impl Step {
    pub fn command(&self, order: &PlacedOrder) -> OrderCommand {
        let quantity = |units: &i64| Quantity::new(*units).unwrap();
        let reason = || Reason::parse("declined").unwrap();
        let reference = || ProviderReference::parse("pi_1").unwrap();
        let last = order.bill.attempts;
        match self {
            Self::Process => OrderCommand::Process,
            Self::Pay => OrderCommand::MarkPaid { amount: None, reference: None },
            Self::PayPart { amount } => OrderCommand::MarkPaid { amount: Some(*amount), reference: None },
            Self::PayOnline => OrderCommand::RequestPayment { method: Some(PaymentMethod::Card) },
            Self::Ship { lines } => OrderCommand::Ship {
                carrier: None,
                tracking_number: None,
                lines: lines.iter().map(|(line, units)| LineUnits { line: *line, quantity: quantity(units) }).collect(),
                collected: false,
            },
            Self::Deliver { shipment } => OrderCommand::Deliver { shipment: *shipment },
            Self::Cancel => OrderCommand::Cancel { reason: None },
            Self::CancelUnits { lines } => OrderCommand::CancelUnits {
                lines: lines.iter().map(|(line, units)| LineUnits { line: *line, quantity: quantity(units) }).collect(),
                reason: None,
            },
            Self::CancelRest => OrderCommand::CancelUnits {
                lines: order
                    .lines()
                    .filter_map(|(line, units)| {
                        let quantity = Quantity::new(line.unshipped(units)).ok()?;
                        Some(LineUnits { line: line.line, quantity })
                    })
                    .collect(),
                reason: None,
            },
            Self::CancelUnpaid => OrderCommand::CancelUnpaid { now: DateTime::UNIX_EPOCH },
            Self::Return { lines, refund } => OrderCommand::Return {
                lines: lines
                    .iter()
                    .map(|(line, units, restock)| ReturnLine {
                        line: *line,
                        quantity: quantity(units),
                        restock: *restock,
                    })
                    .collect(),
                refund: *refund,
                reason: None,
            },
            Self::ReturnAll { refund } => OrderCommand::Return {
                lines: order
                    .lines()
                    .filter_map(|(line, units)| {
                        let quantity = Quantity::new(OrderLine::returnable(units)).ok()?;
                        Some(ReturnLine { line: line.line, quantity, restock: true })
                    })
                    .collect(),
                refund: *refund,
                reason: None,
            },
            Self::Refund { amount } => OrderCommand::Refund { amount: *amount, reason: None },
            Self::Authorised { before } => OrderCommand::RecordAuthorisation {
                attempt: last - before,
                amount: order.bill.due(),
                reference: reference(),
            },
            // A provider captures the amount that was due at the request, which may be more than is due now.
            Self::Paid { before } => {
                OrderCommand::RecordCapture { attempt: last - before, amount: order.bill.total, reference: reference() }
            }
            // The operator of the provider's account may capture a part.
            Self::PaidInPart { before } => OrderCommand::RecordCapture {
                attempt: last - before,
                amount: order.bill.due().share(1, 2),
                reference: reference(),
            },
            Self::Failed { before } => {
                OrderCommand::RecordPaymentFailure { attempt: last - before, reason: PaymentFailure::InsufficientFunds }
            }
            Self::Refunded { refund } => OrderCommand::RecordRefund { refund: *refund, reference: reference() },
            Self::RefundFailed { refund } => OrderCommand::RecordRefundFailure { refund: *refund, reason: reason() },
        }
    }

    /// Action whose rows the step may use; `None` for a provider's report, which may use rows of several.
    pub fn action(&self) -> Option<Action> {
        match self {
            Self::Process => Some(Action::Process),
            Self::Pay | Self::PayPart { .. } | Self::PayOnline => Some(Action::Pay),
            Self::Ship { .. } => Some(Action::Ship),
            Self::Deliver { .. } => Some(Action::Deliver),
            Self::Cancel | Self::CancelUnits { .. } | Self::CancelRest | Self::CancelUnpaid => Some(Action::Cancel),
            Self::Return { .. } | Self::ReturnAll { .. } => Some(Action::Return),
            Self::Refund { .. } | Self::Refunded { .. } => Some(Action::Refund),
            Self::Authorised { .. } => Some(Action::Authorise),
            Self::Paid { .. } | Self::PaidInPart { .. } => Some(Action::Capture),
            Self::Failed { .. } => Some(Action::Fail),
            Self::RefundFailed { .. } => None,
        }
    }
}
