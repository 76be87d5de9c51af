//! The actions that a client may take next, by the rules that decide them.

use super::{Action, LineUnits, Order, OrderCommand, OrderLine, PaymentMethod, PlacedOrder, ReturnLine};
use crate::domain::Decider;
use crate::domain::quantity::Quantity;

/// The part in which a client moves an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mover {
    Staff,
    /// Pays through a provider, and cancels the whole order.
    Buyer,
}

impl Order {
    /// Actions that the order accepts now. `mover` is the client's part in an action; `None` if its route is closed to
    /// the client.
    ///
    /// Each action is tried with the commands that its route can send, so this list and the decisions cannot differ.
    pub fn allowed(&self, mover: impl Fn(Action) -> Option<Mover>) -> Vec<Action> {
        let Self::Placed(order) = self else { return vec![] };
        let for_clients = Action::ALL.iter().copied().filter(|action| *action < Action::Authorise);
        let accepted = for_clients.filter(|action| {
            let Some(mover) = mover(*action).filter(|_| order.states.allow(*action)) else { return false };
            order.attempts(*action, mover).into_iter().any(|command| self.accepts(command))
        });
        accepted.collect()
    }

    /// Whether the command would change the order.
    fn accepts(&self, command: OrderCommand) -> bool {
        self.decide(command).is_ok_and(|events| !events.is_empty())
    }
}

impl PlacedOrder {
    /// The widest commands of an action.
    fn attempts(&self, action: Action, mover: Mover) -> Vec<OrderCommand> {
        let (reason, reference) = (None, None);
        let by_provider = OrderCommand::RequestPayment { method: Some(PaymentMethod::Card) };
        match (action, mover) {
            (Action::Process, _) => vec![OrderCommand::Process],
            (Action::Pay, Mover::Staff) => vec![OrderCommand::MarkPaid { amount: None, reference }, by_provider],
            (Action::Pay, Mover::Buyer) => vec![by_provider],
            (Action::Ship, _) => {
                vec![OrderCommand::Ship { carrier: None, tracking_number: None, lines: vec![], collected: true }]
            }
            (Action::Deliver, _) => vec![OrderCommand::Deliver { shipment: None }],
            (Action::Cancel, Mover::Staff) => {
                vec![
                    OrderCommand::Cancel { reason: None },
                    OrderCommand::CancelUnits { lines: self.unshipped(), reason },
                ]
            }
            (Action::Cancel, Mover::Buyer) => vec![OrderCommand::Cancel { reason }],
            (Action::Return, _) => vec![OrderCommand::Return { lines: self.returnable(), refund: false, reason }],
            (Action::Refund, _) => vec![OrderCommand::Refund { amount: None, reason }],
            (Action::Authorise | Action::Capture | Action::Fail, _) => vec![],
        }
    }

    fn unshipped(&self) -> Vec<LineUnits> {
        let lines = self.lines().filter_map(|(line, units)| {
            Some(LineUnits { line: line.line, quantity: Quantity::new(line.unshipped(units)).ok()? })
        });
        lines.collect()
    }

    fn returnable(&self) -> Vec<ReturnLine> {
        let lines = self.lines().filter_map(|(line, units)| {
            let quantity = Quantity::new(OrderLine::returnable(units)).ok()?;
            Some(ReturnLine { line: line.line, quantity, restock: true })
        });
        lines.collect()
    }
}
