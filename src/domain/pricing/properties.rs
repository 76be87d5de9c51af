//! Invariants of every price.

use proptest::prelude::*;

use super::calculate::split;
use super::*;
use crate::domain::quantity::Quantity;

fn money(cents: i64) -> Money {
    Money::from_cents(i128::from(cents)).unwrap()
}

fn percent() -> impl Strategy<Value = Percent> {
    let thousandths = prop_oneof![Just(0), Just(19_000), Just(7_000), Just(100_000), 0..=100_000_u32];
    thousandths.prop_map(|number| Percent::parse(&format!("{}.{:03}", number / 1_000, number % 1_000)).unwrap())
}

fn country() -> impl Strategy<Value = Option<Country>> {
    prop_oneof![Just(None), Just(Some("DE")), Just(Some("FR"))]
        .prop_map(|code| code.map(|code| Country::try_from(code.to_owned()).unwrap()))
}

/// Mostly low prices, where cents matter.
fn price() -> impl Strategy<Value = Money> {
    prop_oneof![4 => 0..=300_i64, 4 => 0..=10_000_i64, 1 => 0..=1_000_000_000_i64].prop_map(money)
}

fn items() -> impl Strategy<Value = Vec<PricingItem>> {
    let item = (price(), 1..=20_i64, 1..=3_i64).prop_map(|(unit_price, quantity, category)| PricingItem {
        category_id: CategoryId(category),
        subtotal: unit_price.times(Quantity::new(quantity).unwrap()).unwrap(),
    });
    proptest::collection::vec(item, 1..12)
}

fn pricing() -> impl Strategy<Value = Pricing> {
    let fee = (country(), price(), price()).prop_map(|(country, from, fee)| ShippingFee { country, from, fee });
    let category = proptest::option::of((1..=3_i64).prop_map(CategoryId));
    let rate = (category, country(), percent()).prop_map(|(category_id, country, percent)| TaxRate {
        category_id,
        country,
        percent,
    });
    let tables = (proptest::collection::vec(fee, 0..5), any::<bool>(), proptest::collection::vec(rate, 0..6));
    tables.prop_map(|(fees, inclusive, rates)| Pricing { fees, inclusive, rates })
}

fn benefit() -> impl Strategy<Value = Option<Benefit>> {
    prop_oneof![
        Just(None),
        percent().prop_map(|percent| Some(Benefit::Percent(percent))),
        price().prop_map(|amount| Some(Benefit::Amount(amount))),
        Just(Some(Benefit::FreeShipping)),
    ]
}

fn sum(lines: &[PricedLine], of: fn(&PricedLine) -> Money) -> i128 {
    lines.iter().map(|line| of(line).cents()).sum()
}

proptest! {
    #[test]
    fn the_parts_add_up_to_the_total(
        items in items(), pricing in pricing(), country in country(), benefit in benefit(),
    ) {
        let Ok(priced) = pricing.price(&items, country.as_ref(), benefit) else { return Ok(()) };
        let Priced { lines, subtotal, discount, shipping, shipping_tax, tax, total, .. } = &priced;
        prop_assert_eq!(items.iter().map(|item| item.subtotal.cents()).sum::<i128>(), subtotal.cents());
        prop_assert_eq!(sum(lines, |line| line.discount), discount.cents());
        prop_assert_eq!(sum(lines, |line| line.tax) + shipping_tax.cents(), tax.cents());
        let added_to_shipping = if pricing.inclusive { 0 } else { shipping_tax.cents() };
        prop_assert_eq!(sum(lines, |line| line.total) + shipping.cents() + added_to_shipping, total.cents());
        let added = if pricing.inclusive { 0 } else { tax.cents() };
        prop_assert_eq!(subtotal.cents() - discount.cents() + shipping.cents() + added, total.cents());
    }

    /// Looked up row by row: a price means that every table had a row for the country, or has none for any country.
    #[test]
    fn an_order_has_a_price_exactly_where_each_table_covers_its_country(
        items in items(), pricing in pricing(), country in country(), benefit in benefit(),
    ) {
        let covers = |row: Option<&Country>| row.is_none() || row == country.as_ref();
        let covered = |rows: Vec<Option<&Country>>| rows.is_empty() || rows.into_iter().any(covers);
        let taxed = |category: Option<CategoryId>| {
            let rows = pricing.rates.iter().filter(|row| row.category_id.is_none() || row.category_id == category);
            covered(rows.map(|row| row.country.as_ref()).collect())
        };
        let goods = items.iter().all(|item| taxed(Some(item.category_id)));
        let shipped = covered(pricing.fees.iter().map(|row| row.country.as_ref()).collect());
        match pricing.price(&items, country.as_ref(), benefit) {
            Ok(priced) => prop_assert!(goods && shipped && (taxed(None) || priced.shipping.is_zero())),
            Err(error) => {
                prop_assert!(!goods || !shipped || !taxed(None));
                prop_assert_eq!(error, not_covered(country.as_ref()));
            }
        }
    }

    #[test]
    fn no_line_gets_more_discount_than_it_costs_or_more_tax_than_its_rate(
        items in items(), pricing in pricing(), country in country(), benefit in benefit(),
    ) {
        let Ok(priced) = pricing.price(&items, country.as_ref(), benefit) else { return Ok(()) };
        for (item, line) in items.iter().zip(&priced.lines) {
            prop_assert!(line.discount <= item.subtotal);
            let left = item.subtotal.cents() - line.discount.cents();
            let rate = line.tax_rate.thousandths();
            let whole = if pricing.inclusive { Percent::WHOLE + rate } else { Percent::WHOLE };
            // At most half a cent from the exact tax.
            prop_assert!((2 * (line.tax.cents() * whole - left * rate)).abs() <= whole);
            let added = if pricing.inclusive { 0 } else { line.tax.cents() };
            prop_assert_eq!(line.total.cents(), left + added);
        }
    }

    #[test]
    fn a_split_is_exact_and_every_share_is_less_than_a_cent_off(
        weights in proptest::collection::vec(0..=100_000_i128, 1..30), part in 0..=1_000_i128,
    ) {
        let whole: i128 = weights.iter().sum();
        let cents = whole * part / 1_000;
        let shares = split(cents, &weights);
        prop_assert_eq!(shares.iter().sum::<i128>(), cents);
        for (share, weight) in shares.iter().zip(&weights) {
            prop_assert!((0..=*weight).contains(share));
            prop_assert!((share * whole - cents * weight).abs() < whole.max(1));
        }
    }

    /// Rotated lines keep their shares, unless remainders are equal.
    #[test]
    fn the_order_of_the_lines_decides_only_between_equal_remainders(
        weights in proptest::collection::vec(0..=1_000_i128, 2..12), part in 0..=1_000_i128, turn in 1..12_usize,
    ) {
        let whole: i128 = weights.iter().sum();
        let cents = whole * part / 1_000;
        let turn = turn % weights.len();
        let mut turned = weights.clone();
        turned.rotate_left(turn);
        let mut shares = split(cents, &turned);
        shares.rotate_right(turn);
        let before = split(cents, &weights);
        let remainder = |line: usize| cents * weights[line] % whole.max(1);
        for line in 0..weights.len() {
            let tied = (0..weights.len()).any(|other| other != line && remainder(other) == remainder(line));
            prop_assert!(shares[line] == before[line] || tied, "{weights:?} {cents}");
        }
        let sorted = |mut shares: Vec<i128>| {
            shares.sort_unstable();
            shares
        };
        let equal_weights = weights.iter().all(|weight| *weight == weights[0]);
        prop_assert!(!equal_weights || sorted(shares) == sorted(before));
    }
}
