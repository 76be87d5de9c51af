//! When a product runs low: its stock falls below its own threshold, or below that of the shop if it has none.
//!
//! It runs low once for each fall: not again before the stock has been at the threshold or above.

use super::{Listing, Product, ProductEvent};
use crate::domain::settings::LowStockThreshold;

impl Listing {
    /// The threshold in force.
    fn threshold(&self, shop: LowStockThreshold) -> i64 {
        self.low_stock_threshold.unwrap_or(shop).get()
    }
}

impl Product {
    /// A change of the stock or the threshold, and the event that follows if it makes the product run low.
    pub(super) fn with_low_stock(&self, change: ProductEvent, shop: LowStockThreshold) -> Vec<ProductEvent> {
        let low = self.run_low(&change, shop);
        std::iter::once(change).chain(low).collect()
    }

    fn run_low(&self, change: &ProductEvent, shop: LowStockThreshold) -> Option<ProductEvent> {
        // What is not listed is not bought again.
        let Self::Listed(listing) = self else { return None };
        let (before, threshold_before) = (listing.stock.available(), listing.threshold(shop));
        let (stock, threshold) = match change {
            ProductEvent::LowStockThresholdChanged { threshold, .. } => (before, threshold.unwrap_or(shop).get()),
            other => (other.stock_movement()?.after.available(), threshold_before),
        };
        let runs_low = before >= threshold_before && stock < threshold;
        runs_low.then(|| ProductEvent::RanLow { name: listing.name.clone(), stock, threshold })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Decider;
    use crate::domain::ids::{CategoryId, OrderId};
    use crate::domain::money::Money;
    use crate::domain::product::{DetailsChange, ProductCommand};
    use crate::domain::text::{Description, Name};

    fn created() -> ProductEvent {
        let create = ProductCommand::Create {
            name: Name::parse("Kettle").unwrap(),
            description: Description::default(),
            price: Money::parse("20.00").unwrap(),
            category_id: CategoryId(1),
            sku: None,
            details: Box::new(DetailsChange::default()),
            created_at: None,
            low_stock_threshold: None,
        };
        Product::default().decide(create).unwrap().remove(0)
    }

    fn received(quantity: i64) -> ProductEvent {
        ProductEvent::StockReceived { quantity, reason: None, on_hand: quantity, reserved: 0 }
    }

    fn units(threshold: i64) -> LowStockThreshold {
        LowStockThreshold::new(threshold).unwrap()
    }

    fn ran_low(stock: i64, threshold: i64) -> ProductEvent {
        ProductEvent::RanLow { name: "Kettle".to_owned(), stock, threshold }
    }

    /// The events that commands append one after the other, without those of the stock itself.
    fn low_stock_events(given: &[ProductEvent], commands: Vec<ProductCommand>) -> Vec<ProductEvent> {
        let mut product = Product::default();
        given.iter().for_each(|event| product.evolve(event));
        let mut found = Vec::new();
        for command in commands {
            let events = product.decide(command).unwrap();
            events.iter().for_each(|event| product.evolve(event));
            found.extend(events.into_iter().filter(|event| event.stock_movement().is_none()));
        }
        found
    }

    #[test]
    fn a_product_runs_low_once_for_each_fall_below_the_threshold() {
        let order_id = OrderId(1);
        let shop_threshold = units(5);
        let reserve = |quantity| ProductCommand::Reserve { order_id, quantity, shop_threshold: Some(shop_threshold) };
        let adjust = |change| ProductCommand::AdjustStock { change, reason: None, shop_threshold };
        let count = |counted| ProductCommand::CountStock { counted, reason: None, shop_threshold };
        let given = [created(), received(8)];
        let found = low_stock_events(&given, vec![reserve(3), reserve(1), reserve(1), adjust(1), reserve(2)]);
        assert_eq!(found, [ran_low(4, 5)], "it has not risen to 5 in between");
        let release = ProductCommand::Release { order_id, quantity: 1 };
        let found = low_stock_events(&given, vec![reserve(4), release, adjust(-1), adjust(10), count(5)]);
        assert_eq!(found, [ran_low(4, 5), ran_low(4, 5), ran_low(2, 5)]);
        let found = low_stock_events(&[created()], vec![adjust(3), reserve(1)]);
        assert_eq!(found, [], "it was never at the threshold");
        let of_the_past = ProductCommand::Reserve { order_id, quantity: 7, shop_threshold: None };
        assert_eq!(low_stock_events(&given, vec![of_the_past, reserve(1)]), []);
    }

    #[test]
    fn the_threshold_of_a_product_counts_instead_of_that_of_the_shop() {
        let order_id = OrderId(1);
        let reserve = |quantity| ProductCommand::Reserve { order_id, quantity, shop_threshold: Some(units(5)) };
        let change = |own: Option<i64>, shop: i64| ProductCommand::ChangeLowStockThreshold {
            threshold: own.map(units),
            shop_threshold: units(shop),
        };
        let changed = |threshold: Option<i64>, previous: Option<i64>| ProductEvent::LowStockThresholdChanged {
            threshold: threshold.map(units),
            previous_threshold: previous.map(units),
        };
        let given = [created(), received(8)];
        let found = low_stock_events(&given, vec![change(Some(2), 5), reserve(6), reserve(1), change(Some(2), 5)]);
        assert_eq!(found, [changed(Some(2), None), ran_low(1, 2)]);
        let found = low_stock_events(&given, vec![change(Some(9), 5), change(None, 5), reserve(4), change(Some(0), 5)]);
        let expected =
            [changed(Some(9), None), ran_low(8, 9), changed(None, Some(9)), ran_low(4, 5), changed(Some(0), None)];
        assert_eq!(found, expected);
        let withdrawn = [created(), received(8), ProductEvent::Discontinued {}];
        assert_eq!(low_stock_events(&withdrawn, vec![change(Some(9), 5)]), [changed(Some(9), None)]);
    }
}
