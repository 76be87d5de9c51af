//! The invariants that hold after every request.

use std::collections::{BTreeMap, BTreeSet};

use super::shop::{Shop, moved};
use crate::domain::category::Category;
use crate::domain::ids::CategoryId;
use crate::domain::money::Money;
use crate::domain::order::{Action, MOVES, Order, OrderStates, Payment, PlacedOrder, RefundState, Status};
use crate::domain::product::Stock;

impl Shop {
    pub(super) fn check(&self) {
        for (&product, state) in &self.products {
            let Ok(listing) = state.listing() else { continue };
            let Stock { on_hand, reserved } = listing.stock;
            assert!(0 <= reserved && (0..=Stock::MAX).contains(&on_hand), "{product}: {on_hand}, {reserved}");
            assert_eq!(on_hand, self.ledger.on_hand(product), "on hand of product {product}");
            assert_eq!(reserved, self.units_of_open_orders(product), "reserved of product {product}");
        }
        for (&order, state) in &self.orders {
            self.check_order(order, state);
        }
        for (&category, state) in &self.categories {
            let members = self.products.values().filter_map(|product| product.listing().ok());
            let members = members.filter(|listing| listing.category_id == CategoryId(category)).count();
            let expected = Category::Active {
                name: state.name().unwrap().to_owned(),
                product_count: i64::try_from(members).unwrap(),
                parent_id: None,
                children: BTreeSet::new(),
            };
            assert_eq!(state, &expected);
        }
    }

    fn check_order(&self, order: i64, state: &Order) {
        let placed = state.placed().unwrap();
        let total = placed.lines.iter().try_fold(Money::ZERO, |total, line| {
            assert_eq!(line.unit_price.times(line.quantity), Some(line.subtotal));
            total.plus(line.amount())
        });
        let bill = &placed.bill;
        let shipping =
            placed.pricing.as_ref().map_or(Money::ZERO, |pricing| pricing.shipping.plus(pricing.shipping_tax).unwrap());
        assert_eq!(total.unwrap().plus(shipping), Some(bill.total), "total of order {order}");
        assert!(bill.refunded <= bill.paid && bill.credited <= bill.total, "{bill:?}");
        let refunds = bill.refunds.iter().fold(Money::ZERO, |sum, refund| sum.plus(refund.amount).unwrap());
        assert!(bill.paid.less(bill.total) <= refunds, "money beyond the total was not sent back: {bill:?}");
        for charge in &bill.charges {
            let refunds = bill.refunds.iter().filter(|refund| refund.attempt == Some(charge.attempt));
            let refunds = refunds.filter(|refund| refund.state != RefundState::Failed);
            let sum = refunds.fold(Money::ZERO, |sum, refund| sum.plus(refund.amount).unwrap());
            assert!(sum <= charge.amount, "a provider cannot refund more than it captured: {bill:?}");
        }
        check_payment(placed);
        let cancelled = placed.states.status == Status::Cancelled;
        assert!(!cancelled || bill.worth().is_zero(), "{bill:?}");
        // Money beyond the order's value is being refunded, or can be.
        assert!(bill.kept() <= bill.worth() || !bill.refunds.is_empty() || !bill.refundable().is_zero(), "{bill:?}");
        for (line, units) in placed.lines() {
            assert!(units.shipped + units.withdrawn <= line.quantity.get(), "{units:?}");
            assert!(units.restocked <= units.returned && units.returned <= units.shipped, "{units:?}");
        }
        // An order ends when nothing is left to ship, and completely when everything came back or was cancelled.
        let left_to_ship = placed.lines().any(|(line, units)| line.unshipped(units) > 0);
        let sent = matches!(placed.states.status, Status::Shipped | Status::Completed);
        assert!(cancelled || left_to_ship != sent, "{:?}", placed.states);
        let nothing_remains = placed.lines().all(|(line, units)| line.remaining(units) == 0);
        assert!(cancelled || !nothing_remains || placed.states.status == Status::Completed, "{:?}", placed.states);
        // The stock has followed the order's movements.
        for (product, moved) in moved(placed) {
            let seen =
                |counted: &BTreeMap<(i64, i64), i64>| counted.get(&(order, product)).copied().unwrap_or_default();
            let ledger = &self.ledger;
            let store = (seen(&ledger.released), seen(&ledger.shipped), seen(&ledger.returned));
            assert_eq!(store, (moved.released, moved.shipped, moved.restocked), "order {order}, product {product}");
        }
    }

    fn units_of_open_orders(&self, product: i64) -> i64 {
        let lines = self.orders.values().map(|order| order.placed().unwrap()).flat_map(|placed| {
            let open = placed.states.status != Status::Cancelled;
            placed.lines().filter(move |_| open)
        });
        lines.filter(|(line, _)| line.product_id.0 == product).map(|(line, units)| line.unshipped(units)).sum()
    }
}

/// Checks that the state of the payment agrees with the money, unless an attempt is running.
fn check_payment(placed: &PlacedOrder) {
    let (states, bill) = (placed.states, &placed.bill);
    if states.status == Status::Cancelled || bill.open_attempt || states.payment == Payment::Authorised {
        return;
    }
    let (due, kept) = (!bill.due().is_zero(), !bill.kept().is_zero());
    let agrees = match states.payment {
        Payment::Pending | Payment::Failed => due && !kept,
        Payment::PartiallyPaid => due && kept,
        Payment::Paid | Payment::PartiallyRefunded | Payment::Refunded => !due,
        Payment::Authorised => true,
    };
    assert!(agrees, "{:?} with {bill:?}", states.payment);
}

/// Checks that every state changed by a row of the table.
pub(super) fn check_moves(action: Option<Action>, before: OrderStates, after: OrderStates) {
    for (from, to) in before.each().into_iter().zip(after.each()).filter(|(from, to)| from != to) {
        let row = MOVES
            .iter()
            .find(|row| (row.from, row.to) == (from, to) && action.is_none_or(|action| row.action == action));
        assert!(row.is_some(), "{action:?} led from {from:?} to {to:?}, which the table does not allow");
    }
}
