use cqrs_es::test::{AggregateTestExecutor, TestFramework};

use super::*;
use crate::domain::quantity::Quantity;

fn given(events: Vec<PricingEvent>) -> AggregateTestExecutor<Pricing> {
    TestFramework::with(()).given(events)
}

fn money(text: &str) -> Money {
    Money::parse(text).unwrap()
}

fn country(code: &str) -> Country {
    Country::try_from(code.to_owned()).unwrap()
}

fn fee(code: &str, from: &str, fee: &str) -> ShippingFee {
    let country = (!code.is_empty()).then(|| country(code));
    ShippingFee { country, from: money(from), fee: money(fee) }
}

fn rate(category: i64, code: &str, percent: &str) -> TaxRate {
    TaxRate {
        category_id: (category > 0).then_some(CategoryId(category)),
        country: (!code.is_empty()).then(|| country(code)),
        percent: Percent::parse(percent).unwrap(),
    }
}

fn item(category: i64, unit_price: &str, quantity: i64) -> PricingItem {
    let subtotal = money(unit_price).times(Quantity::new(quantity).unwrap()).unwrap();
    PricingItem { category_id: CategoryId(category), subtotal }
}

/// A price as text: `subtotal discount rate tax total` of each line, and
/// `subtotal discount shipping shipping_tax tax total` of the order.
fn shown(items: &[PricingItem], priced: &Priced) -> (Vec<String>, String) {
    let Priced { subtotal, discount, shipping, shipping_tax, tax, total, .. } = priced;
    let line = |(PricingItem { subtotal, .. }, line): (&PricingItem, &PricedLine)| {
        let PricedLine { discount, tax_rate, tax, total } = line;
        format!("{subtotal} {discount} {tax_rate} {tax} {total}")
    };
    let order = format!("{subtotal} {discount} {shipping} {shipping_tax} {tax} {total}");
    (items.iter().zip(&priced.lines).map(line).collect(), order)
}

#[test]
fn a_table_is_replaced_as_a_whole_and_sorted() {
    let command = |fees| PricingCommand::ChangeShippingFees { fees };
    let sorted = vec![fee("", "0", "9.90"), fee("DE", "0", "4.90"), fee("DE", "50", "0")];
    let changed = PricingEvent::ShippingFeesChanged { fees: sorted.clone() };
    let mixed = vec![sorted[2].clone(), sorted[0].clone(), sorted[1].clone()];
    given(vec![]).when(command(mixed.clone())).then_expect_events(vec![changed.clone()]);
    given(vec![changed]).when(command(mixed)).then_expect_events(vec![]);
}

#[test]
fn switching_between_included_and_added_tax_is_a_change() {
    let rates = vec![rate(0, "DE", "19")];
    let inclusive = PricingEvent::TaxRatesChanged { inclusive: true, rates: rates.clone() };
    let exclusive = PricingEvent::TaxRatesChanged { inclusive: false, rates: rates.clone() };
    let command = PricingCommand::ChangeTaxRates { inclusive: false, rates };
    given(vec![inclusive]).when(command.clone()).then_expect_events(vec![exclusive.clone()]);
    given(vec![exclusive]).when(command).then_expect_events(vec![]);
}

#[test]
fn a_table_has_one_row_per_case_and_at_most_a_thousand() {
    let fees = vec![fee("DE", "10", "1"), fee("", "10", "1"), fee("DE", "10.00", "2")];
    given(vec![])
        .when(PricingCommand::ChangeShippingFees { fees })
        .then_expect_error(PricingError::DuplicateFee { country: Some(country("DE")), from: money("10") });
    let rates = vec![rate(3, "", "19"), rate(3, "DE", "19"), rate(3, "", "7")];
    given(vec![])
        .when(PricingCommand::ChangeTaxRates { inclusive: true, rates })
        .then_expect_error(PricingError::DuplicateRate { category_id: Some(CategoryId(3)), country: None });
    let fees: Vec<_> = (0..=1_000).map(|from| fee("", &from.to_string(), "1")).collect();
    let changed = PricingEvent::ShippingFeesChanged { fees: fees[1..].to_vec() };
    given(vec![])
        .when(PricingCommand::ChangeShippingFees { fees: fees[1..].to_vec() })
        .then_expect_events(vec![changed]);
    given(vec![]).when(PricingCommand::ChangeShippingFees { fees }).then_expect_error(PricingError::TooManyRows);
}

#[test]
fn the_countrys_row_with_the_highest_reached_value_sets_the_fee() {
    let fees = vec![fee("", "0", "9.90"), fee("", "100", "5"), fee("DE", "10", "4.90"), fee("DE", "50", "0")];
    let pricing = Pricing { fees, ..Pricing::default() };
    for (code, value, expected) in [
        ("DE", "10", "4.90"),
        ("DE", "49.99", "4.90"),
        ("DE", "50", "0"),
        ("DE", "9.99", "9.90"),
        ("FR", "99.99", "9.90"),
        ("FR", "100", "5"),
    ] {
        assert_eq!(pricing.shipping_fee(Some(&country(code)), money(value)), Ok(money(expected)), "{code} {value}");
    }
    assert_eq!(pricing.shipping_fee(None, money("1")), Ok(money("9.90")));
    assert_eq!(Pricing::default().shipping_fee(Some(&country("DE")), money("1")), Ok(Money::ZERO));
}

#[test]
fn the_most_specific_rate_wins() {
    let all = [rate(3, "DE", "7"), rate(0, "DE", "19"), rate(3, "", "5"), rate(0, "", "20")];
    let of = |rows: &[TaxRate], category: Option<i64>, code: &str| {
        let pricing = Pricing { rates: rows.to_vec(), ..Pricing::default() };
        let country = (!code.is_empty()).then(|| country(code));
        pricing.tax_rate(category.map(CategoryId), country.as_ref()).unwrap().to_string()
    };
    for (hidden, expected) in [(0, "7"), (1, "19"), (2, "5"), (3, "20"), (4, "0")] {
        assert_eq!(of(&all[hidden..], Some(3), "DE"), expected);
    }
    assert_eq!(of(&all, Some(4), "DE"), "19");
    assert_eq!(of(&all, Some(3), "FR"), "5");
    assert_eq!(of(&all, Some(4), "FR"), "20");
    assert_eq!(of(&all, Some(3), ""), "5");
    assert_eq!(of(&all, None, "DE"), "19", "shipping is taxed at the standard rate");
    assert_eq!(of(&all, None, "FR"), "20");
}

#[test]
fn without_tables_an_order_costs_only_its_goods() {
    let items = [item(1, "9.99", 3), item(2, "0", 1)];
    let priced = Pricing::default().price(&items, None, None).unwrap();
    let lines = vec!["29.97 0.00 0 0.00 29.97".to_owned(), "0.00 0.00 0 0.00 0.00".to_owned()];
    assert_eq!(shown(&items, &priced), (lines, "29.97 0.00 0.00 0.00 0.00 29.97".to_owned()));
}

/// 3 × 9.99 + 1 × 24.90 = 54.87, less 10 %: 5.487, so 5.49. Of it 5.49 × 29.97 / 54.87 = 2.99864 and 2.49136: whole cents
/// 2.99 + 2.49, and the cent that is left goes to the first. Tax in 26.97 at 19 %: 4.30613; in 22.41 at 7 %: 1.46607.
/// The goods are worth 49.38, so shipping to Germany costs 4.90, with 0.78235 of tax in it.
#[test]
fn an_order_with_included_tax_is_correct_to_the_cent() {
    let pricing = Pricing {
        fees: vec![fee("DE", "0", "4.90"), fee("DE", "50", "0")],
        inclusive: true,
        rates: vec![rate(0, "DE", "19"), rate(2, "DE", "7")],
    };
    let benefit = Benefit::Percent(Percent::parse("10").unwrap());
    let items = [item(1, "9.99", 3), item(2, "24.90", 1)];
    let priced = pricing.price(&items, Some(&country("DE")), Some(benefit)).unwrap();
    let lines = vec!["29.97 3.00 19 4.31 26.97".to_owned(), "24.90 2.49 7 1.47 22.41".to_owned()];
    assert_eq!(shown(&items, &priced), (lines, "54.87 5.49 4.90 0.78 6.56 54.28".to_owned()));
}

/// The same with tax added: 26.97 × 19 % = 5.1243, 22.41 × 7 % = 1.5687, 4.90 × 19 % = 0.931.
#[test]
fn an_order_with_added_tax_is_correct_to_the_cent() {
    let pricing = Pricing {
        fees: vec![fee("DE", "0", "4.90")],
        inclusive: false,
        rates: vec![rate(0, "DE", "19"), rate(2, "DE", "7")],
    };
    let benefit = Benefit::Percent(Percent::parse("10").unwrap());
    let items = [item(1, "9.99", 3), item(2, "24.90", 1)];
    let priced = pricing.price(&items, Some(&country("DE")), Some(benefit)).unwrap();
    let lines = vec!["29.97 3.00 19 5.12 32.09".to_owned(), "24.90 2.49 7 1.57 23.98".to_owned()];
    assert_eq!(shown(&items, &priced), (lines, "54.87 5.49 4.90 0.93 7.62 61.90".to_owned()));
}

#[test]
fn half_a_cent_is_rounded_away_from_zero() {
    let pricing = Pricing { rates: vec![rate(0, "", "5")], ..Pricing::default() };
    for (price, tax) in [("0.10", "0.01"), ("0.09", "0.00"), ("0.30", "0.02"), ("0.29", "0.01")] {
        let priced = pricing.price(&[item(1, price, 1)], None, None).unwrap();
        assert_eq!(priced.tax, money(tax), "5 % of {price}");
    }
}

#[test]
fn a_discount_is_at_most_the_subtotal_and_free_shipping_removes_only_the_fee() {
    let pricing = Pricing { fees: vec![fee("", "0", "4.90")], ..Pricing::default() };
    let items = [item(1, "10", 1), item(2, "5", 1)];
    let amount = |text| Some(Benefit::Amount(money(text)));
    assert_eq!(
        shown(&items, &pricing.price(&items, None, amount("100")).unwrap()).1,
        "15.00 15.00 4.90 0.00 0.00 4.90"
    );
    assert_eq!(shown(&items, &pricing.price(&items, None, amount("4")).unwrap()).1, "15.00 4.00 4.90 0.00 0.00 15.90");
    let free = pricing.price(&items, None, Some(Benefit::FreeShipping)).unwrap();
    assert_eq!(shown(&items, &free).1, "15.00 0.00 0.00 0.00 0.00 15.00");
}

#[test]
fn remaining_cents_go_to_the_largest_remainders_and_earlier_lines_first() {
    assert_eq!(calculate::split(100, &[1, 1, 1]), [34, 33, 33]);
    assert_eq!(calculate::split(200, &[100, 100, 100]), [67, 67, 66]);
    // 1.2, 2.4, 2.4
    assert_eq!(calculate::split(6, &[10, 20, 20]), [1, 3, 2]);
    // 0.7, 0.2, 0.1
    assert_eq!(calculate::split(1, &[1, 2, 7]), [0, 0, 1]);
    assert_eq!(calculate::split(0, &[0, 0]), [0, 0]);
    assert_eq!(calculate::split(5, &[5, 0]), [5, 0]);
}

#[test]
fn a_sum_above_the_maximum_has_no_price() {
    let pricing = Pricing { rates: vec![rate(0, "", "100")], ..Pricing::default() };
    let most = item(1, "999999999999.99", 1);
    assert!(Pricing::default().price(&[most], None, None).is_ok());
    assert_eq!(Pricing::default().price(&[most, most], None, None), Err(PricingError::TotalTooLarge));
    assert_eq!(pricing.price(&[most], None, None), Err(PricingError::TotalTooLarge));
}

#[test]
fn a_country_that_no_fee_covers_is_not_shipped_to_and_a_missing_one_is_required() {
    let of = |fees: &[ShippingFee], code: &str| {
        let pricing = Pricing { fees: fees.to_vec(), ..Pricing::default() };
        let country = (!code.is_empty()).then(|| country(code));
        pricing.price(&[item(1, "10", 1)], country.as_ref(), None).map(|priced| priced.shipping)
    };
    let germany = [fee("DE", "0", "4.90")];
    assert_eq!(of(&germany, "DE"), Ok(money("4.90")));
    assert_eq!(of(&germany, "US"), Err(PricingError::NotShippedThere(country("US"))));
    assert_eq!(of(&germany, ""), Err(PricingError::CountryRequired));
    let everywhere = [fee("DE", "0", "4.90"), fee("", "0", "19.90")];
    assert_eq!(of(&everywhere, "US"), Ok(money("19.90")));
    assert_eq!(of(&everywhere, ""), Ok(money("19.90")), "a row without a country covers the rest");
    // A country with a row is shipped to, also below the row's value.
    assert_eq!(of(&[fee("DE", "50", "0")], "DE"), Ok(Money::ZERO));
    let free = Pricing { fees: germany.to_vec(), ..Pricing::default() };
    let free = free.price(&[item(1, "10", 1)], Some(&country("US")), Some(Benefit::FreeShipping));
    assert_eq!(free, Err(PricingError::NotShippedThere(country("US"))), "free shipping adds no country");
}

#[test]
fn a_category_is_taxed_in_every_country_or_in_none() {
    let of = |rates: &[TaxRate], category: i64, code: &str| {
        let fees = vec![fee("", "0", "4.90")];
        let pricing = Pricing { rates: rates.to_vec(), fees, ..Pricing::default() };
        let country = (!code.is_empty()).then(|| country(code));
        pricing
            .price(&[item(category, "10", 1)], country.as_ref(), None)
            .map(|priced| priced.lines[0].tax_rate.to_string())
    };
    let standard = [rate(0, "DE", "19")];
    assert_eq!(of(&standard, 3, "DE").as_deref(), Ok("19"));
    assert_eq!(of(&standard, 3, "US"), Err(PricingError::NotShippedThere(country("US"))));
    assert_eq!(of(&standard, 3, ""), Err(PricingError::CountryRequired));
    let with_rest = [rate(0, "DE", "19"), rate(0, "", "0")];
    assert_eq!(of(&with_rest, 3, "US").as_deref(), Ok("0"));
    // Books are taxed in Germany alone; nothing says what other goods or shipping are taxed at, anywhere.
    let books = [rate(3, "DE", "7")];
    assert_eq!(of(&books, 3, "DE").as_deref(), Ok("7"));
    assert_eq!(of(&books, 3, "US"), Err(PricingError::NotShippedThere(country("US"))));
    assert_eq!(of(&books, 4, "US").as_deref(), Ok("0"));
    // Books are covered everywhere, but the shipping of the parcel is not.
    let shipping = [rate(3, "", "7"), rate(0, "DE", "19")];
    assert_eq!(of(&shipping, 3, "US"), Err(PricingError::NotShippedThere(country("US"))));
}
