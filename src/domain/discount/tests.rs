use cqrs_es::test::{AggregateTestExecutor, TestFramework};

use super::*;

fn given(events: Vec<DiscountEvent>) -> AggregateTestExecutor<Discount> {
    TestFramework::with(()).given(events)
}

fn money(text: &str) -> Money {
    Money::parse(text).unwrap()
}

fn moment(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn ten_percent() -> DiscountTerms {
    let benefit = Benefit::Percent(Percent::parse("10").unwrap());
    DiscountTerms { benefit, from: None, until: None, total_limit: None, customer_limit: None, minimum: None }
}

fn created(terms: DiscountTerms) -> DiscountEvent {
    DiscountEvent::Created { code: DiscountCode::parse("Spring").unwrap(), terms }
}

fn used(order: i64, customer: Option<i64>) -> DiscountEvent {
    DiscountEvent::Used { order_id: OrderId(order), customer_id: customer.map(CustomerId) }
}

fn released(order: i64, customer: Option<i64>) -> DiscountEvent {
    DiscountEvent::Released { order_id: OrderId(order), customer_id: customer.map(CustomerId) }
}

fn wanted(order: i64, customer: Option<i64>) -> DiscountCommand {
    let (order_id, customer_id) = (OrderId(order), customer.map(CustomerId));
    DiscountCommand::Use(DiscountUse {
        order_id,
        customer_id,
        at: moment("2026-05-01T12:00:00Z"),
        subtotal: money("20"),
    })
}

#[test]
fn a_code_is_case_insensitive() {
    assert_eq!(DiscountCode::parse(" Spring-24_x ").unwrap().folded(), "SPRING-24_X");
    for text in ["", "a b", "é", "a.b", "a\0", &"x".repeat(41)] {
        assert_eq!(DiscountCode::parse(text), Err(DiscountCodeError), "{text:?}");
    }
}

#[test]
fn a_code_is_never_reused_even_after_its_discount_has_ended() {
    let create = || DiscountCommand::Create { code: DiscountCode::parse("Spring").unwrap(), terms: ten_percent() };
    given(vec![]).when(create()).then_expect_events(vec![created(ten_percent())]);
    let ended = vec![created(ten_percent()), DiscountEvent::Ended {}];
    given(ended).when(create()).then_expect_error(DiscountError::AlreadyExists);
}

#[test]
fn a_discount_has_a_benefit_and_a_period_of_validity() {
    let (from, until) = (Some(moment("2026-05-01T00:00:00Z")), Some(moment("2026-05-01T00:00:00Z")));
    for (terms, error) in [
        (DiscountTerms { benefit: Benefit::Amount(money("0.00")), ..ten_percent() }, DiscountError::NothingGiven),
        (DiscountTerms { benefit: Benefit::Percent(Percent::ZERO), ..ten_percent() }, DiscountError::NothingGiven),
        (DiscountTerms { from, until, ..ten_percent() }, DiscountError::NeverValid),
    ] {
        let code = DiscountCode::parse("Spring").unwrap();
        given(vec![]).when(DiscountCommand::Create { code, terms }).then_expect_error(error);
        given(vec![created(ten_percent())]).when(DiscountCommand::Change { terms }).then_expect_error(error);
    }
}

#[test]
fn the_same_terms_cause_no_event_and_an_ended_discount_cannot_change() {
    let terms = DiscountTerms { minimum: Some(money("5")), ..ten_percent() };
    let change = || DiscountCommand::Change { terms };
    given(vec![created(ten_percent())]).when(change()).then_expect_events(vec![DiscountEvent::Changed { terms }]);
    given(vec![created(terms)]).when(change()).then_expect_events(vec![]);
    let ended = || vec![created(terms), DiscountEvent::Ended {}];
    given(ended()).when(change()).then_expect_error(DiscountError::Ended);
    given(ended()).when(DiscountCommand::End).then_expect_events(vec![]);
    given(ended()).when(wanted(1, Some(1))).then_expect_error(DiscountError::Ended);
}

#[test]
fn an_unknown_code_is_not_found() {
    for command in [DiscountCommand::End, wanted(1, Some(1)), DiscountCommand::Change { terms: ten_percent() }] {
        given(vec![]).when(command).then_expect_error(DiscountError::NotFound);
    }
}

#[test]
fn a_discount_is_valid_from_its_first_moment_until_just_before_its_end() {
    let at = moment("2026-05-01T12:00:00Z");
    let late = moment("2026-05-01T12:00:00.000001Z");
    for (from, until, error) in [
        (Some(at), None, None),
        (Some(late), None, Some(DiscountError::NotYetValid { from: late })),
        (None, Some(late), None),
        (None, Some(at), Some(DiscountError::Expired { until: at })),
    ] {
        let test = given(vec![created(DiscountTerms { from, until, ..ten_percent() })]).when(wanted(1, None));
        match error {
            Some(error) => test.then_expect_error(error),
            None => test.then_expect_events(vec![used(1, None)]),
        }
    }
}

#[test]
fn a_minimum_applies_to_the_subtotal() {
    let terms = |minimum| DiscountTerms { minimum: Some(money(minimum)), ..ten_percent() };
    given(vec![created(terms("20.00"))]).when(wanted(1, None)).then_expect_events(vec![used(1, None)]);
    let error = DiscountError::BelowMinimum { minimum: money("20.01"), subtotal: money("20") };
    given(vec![created(terms("20.01"))]).when(wanted(1, None)).then_expect_error(error);
}

#[test]
fn a_cancelled_order_releases_its_use() {
    let terms = DiscountTerms { total_limit: NonZeroU32::new(2), ..ten_percent() };
    let both = vec![created(terms), used(1, Some(1)), used(2, None)];
    given(both.clone()).when(wanted(3, Some(3))).then_expect_error(DiscountError::UsedUp);
    let release = DiscountCommand::Release { order_id: OrderId(2), customer_id: None };
    given(both.clone()).when(release).then_expect_events(vec![released(2, None)]);
    let back = [both, vec![released(2, None)]].concat();
    given(back).when(wanted(3, Some(3))).then_expect_events(vec![used(3, Some(3))]);
}

#[test]
fn a_limit_per_customer_counts_each_customer_and_excludes_guests() {
    let terms = DiscountTerms { customer_limit: NonZeroU32::new(1), ..ten_percent() };
    let once = vec![created(terms), used(1, Some(1))];
    given(once.clone()).when(wanted(2, Some(1))).then_expect_error(DiscountError::UsedUpByCustomer);
    given(once.clone()).when(wanted(2, Some(2))).then_expect_events(vec![used(2, Some(2))]);
    given(once.clone()).when(wanted(2, None)).then_expect_error(DiscountError::NeedsCustomer);
    let back = [once, vec![released(1, Some(1))]].concat();
    given(back).when(wanted(2, Some(1))).then_expect_events(vec![used(2, Some(1))]);
}

#[test]
fn a_later_limit_counts_earlier_uses() {
    let limited = DiscountTerms { total_limit: NonZeroU32::new(1), ..ten_percent() };
    let story = vec![created(ten_percent()), used(1, None), used(2, None), DiscountEvent::Changed { terms: limited }];
    given(story).when(wanted(3, None)).then_expect_error(DiscountError::UsedUp);
}
