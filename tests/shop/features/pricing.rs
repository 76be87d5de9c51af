//! Shipping fees and tax rates, and the prices of orders that follow from them.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::TestShop;
use crate::support::guests::as_guest;
use crate::support::pricing::{check_out, german_tables, put_table};

#[tokio::test]
async fn a_table_of_fees_or_rates_is_read_as_it_was_written() {
    let shop = TestShop::new().await;
    let tea = shop.category("Tea").await;
    let empty = shop.get("pricing/shipping/").await;
    assert_eq!((&empty.body, empty.header("etag")), (&json!({ "fees": [] }), "\"0\""));
    assert_eq!(shop.read("pricing/taxes/").await, json!({ "inclusive": false, "rates": [] }));

    let fees = json!({ "fees": [
        { "country": null, "from": "0.00", "fee": "9.90" },
        { "country": "DE", "from": "0.00", "fee": "4.90" },
        { "country": "DE", "from": "50.00", "fee": "0.00" }
    ] });
    let changed = put_table(&shop, "shipping", fees.clone()).await;
    assert_eq!((changed.status, &changed.body), (StatusCode::OK, &fees));
    let rates = json!({ "inclusive": true, "rates": [
        { "category_id": null, "country": "DE", "percent": "19" },
        { "category_id": tea, "country": "DE", "percent": "7.5" }
    ] });
    let changed = put_table(&shop, "taxes", rates.clone()).await;
    assert_eq!((changed.status, &changed.body), (StatusCode::OK, &rates));

    let read = shop.get("pricing/taxes/").await;
    assert_eq!((&read.body, read.header("etag")), (&rates, "\"2\""));
    assert_eq!(shop.read("pricing/shipping/").await, fees);
    shop.verify().await;
}

#[tokio::test]
async fn an_unchanged_table_adds_no_event_and_a_stale_one_is_refused() {
    let shop = TestShop::new().await;
    let fees = json!({ "fees": [{ "from": "0", "fee": "9.9" }, { "country": "DE", "from": "0", "fee": "4.9" }] });
    put_table(&shop, "shipping", fees).await;
    let position = shop.engine.journal.position();
    let same = json!({ "fees": [{ "country": "DE", "from": "0.00", "fee": "4.90" }, { "from": "0", "fee": "9.90" }] });
    assert_eq!(put_table(&shop, "shipping", same.clone()).await.status, StatusCode::OK);
    assert_eq!(shop.engine.journal.position(), position, "the same rows in another order");
    let stale = shop.send("PUT", "pricing/shipping/", json!({ "fees": [] }), &[("if-match", "\"0\"")]).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    let fresh = shop.send("PUT", "pricing/shipping/", json!({ "fees": [] }), &[("if-match", "\"1\"")]).await;
    assert_eq!((fresh.status, &fresh.body), (StatusCode::OK, &json!({ "fees": [] })));
}

#[tokio::test]
async fn a_table_with_an_invalid_row_is_refused_whole() {
    let shop = TestShop::new().await;
    let before = shop.engine.journal.position();
    let fee = |country: &str, from: &str, fee: &str| json!({ "country": country, "from": from, "fee": fee });
    let rate = |category: Value, percent: &str| json!({ "category_id": category, "percent": percent });
    let many: Vec<_> = (0..1_001).map(|from| fee("DE", &from.to_string(), "1")).collect();
    for (table, body, problem) in [
        ("shipping", json!({ "fees": [fee("DE", "0", "1"), fee("DE", "0.00", "2")] }), "fee_twice"),
        ("shipping", json!({ "fees": [fee("Germany", "0", "1")] }), "invalid_request"),
        ("shipping", json!({ "fees": [fee("DE", "-1", "1")] }), "invalid_request"),
        ("shipping", json!({ "fees": [fee("DE", "0", "1.005")] }), "invalid_request"),
        ("shipping", json!({ "fees": many }), "too_many_rows"),
        (
            "taxes",
            json!({ "inclusive": true, "rates": [rate(json!(null), "19"), rate(json!(null), "7")] }),
            "rate_twice",
        ),
        ("taxes", json!({ "inclusive": true, "rates": [rate(json!(null), "100.001")] }), "invalid_request"),
        ("taxes", json!({ "inclusive": true, "rates": [rate(json!(null), "1.0001")] }), "invalid_request"),
        ("taxes", json!({ "inclusive": true, "rates": [rate(json!(99), "19")] }), "category_not_found"),
        ("taxes", json!({ "rates": [] }), "invalid_request"),
    ] {
        let answer = put_table(&shop, table, body.clone()).await;
        assert_eq!(answer.problem(), problem, "{table} {body}: {}", answer.body);
    }
    assert_eq!(shop.engine.journal.position(), before);
}

/// A shop with mugs at 9.99, books at 24.90, German tables and 10 % off; and a customer with three mugs and a book.
async fn three_mugs_and_a_book(inclusive: bool) -> (TestShop, i64) {
    let shop = TestShop::new().await;
    let mug = shop.product("Mug", "9.99", 50).await;
    let books = shop.category("Books").await;
    let book = json!({ "name": "Tea, a book", "price": "24.90", "category": "Books", "stock": 50 });
    let book = shop.done("products/", book).await["product_id"].as_i64().unwrap();
    german_tables(&shop, inclusive, books).await;
    shop.done("discounts/", json!({ "code": "Spring-24", "kind": "percent", "value": "10" })).await;
    let customer = shop.customer("Ada").await;
    shop.add(customer, mug, 3).await;
    shop.add(customer, book, 1).await;
    (shop, customer)
}

fn to_germany() -> Value {
    json!({ "shipping_country": "DE", "discount_code": "spring-24" })
}

/// `discount rate tax total` of each line.
fn lines_of(order: &Value) -> Vec<String> {
    let line = |line: &Value| {
        ["discount", "tax_rate", "tax", "total"].map(|field| line[field].as_str().unwrap().to_owned()).join(" ")
    };
    order["lines"].as_array().unwrap().iter().map(line).collect()
}

/// In cents.
fn cents(money: &Value) -> i64 {
    money.as_str().unwrap().replace('.', "").parse().unwrap()
}

/// Lines and shipping add up to the total, and to the customer's spending in the statistics.
async fn adds_up(shop: &TestShop, order: &Value) {
    let lines: i64 = order["lines"].as_array().unwrap().iter().map(|line| cents(&line["total"])).sum();
    let pricing = &order["pricing"];
    let added = if pricing["prices_include_tax"] == true { 0 } else { cents(&pricing["shipping_tax"]) };
    assert_eq!(lines + cents(&pricing["shipping"]) + added, cents(&order["total_amount"]), "{order}");
    assert_eq!(shop.read("customer-stats/").await[0]["total_spent"], order["total_amount"]);
    let sales: i64 = shop.read("sales/").await.as_array().unwrap().iter().map(|day| cents(&day["revenue"])).sum();
    assert_eq!(sales, cents(&order["total_amount"]));
}

#[tokio::test]
async fn an_order_with_tax_in_its_prices_keeps_every_part_to_the_cent() {
    let (shop, customer) = three_mugs_and_a_book(true).await;
    let order = check_out(&shop, customer, to_germany()).await;
    assert_eq!(order.status, StatusCode::CREATED, "{}", order.body);
    let order = order.body;
    assert_eq!(lines_of(&order), ["3.00 19 4.31 26.97", "2.49 7 1.47 22.41"]);
    let pricing = json!({ "subtotal": "54.87", "discount": "5.49", "discount_code": "SPRING-24", "shipping": "4.90",
        "shipping_tax_rate": "19", "shipping_tax": "0.78", "tax": "6.56", "prices_include_tax": true });
    assert_eq!((&order["pricing"], &order["total_amount"]), (&pricing, &json!("54.28")));
    adds_up(&shop, &order).await;

    let id = order["order_id"].as_i64().unwrap();
    let summary = shop.read(&format!("order/{id}/summary/")).await;
    assert_eq!((&summary["pricing"], lines_of(&summary)), (&pricing, lines_of(&order)));
    assert_eq!((&summary["shipping_country"], &summary["due"]), (&json!("DE"), &json!("54.28")));
    let event = shop.read("events/?type=OrderPlaced").await[0]["payload"].clone();
    assert_eq!((&event["pricing"], &event["shipping_country"]), (&pricing, &json!("DE")));
    shop.check_log().await;
    shop.verify().await;
}

#[tokio::test]
async fn an_order_with_tax_added_to_its_prices_keeps_every_part_to_the_cent() {
    let (shop, customer) = three_mugs_and_a_book(false).await;
    let order = check_out(&shop, customer, to_germany()).await.body;
    assert_eq!(lines_of(&order), ["3.00 19 5.12 32.09", "2.49 7 1.57 23.98"]);
    let pricing = json!({ "subtotal": "54.87", "discount": "5.49", "discount_code": "SPRING-24", "shipping": "4.90",
        "shipping_tax_rate": "19", "shipping_tax": "0.93", "tax": "7.62", "prices_include_tax": false });
    assert_eq!((&order["pricing"], &order["total_amount"]), (&pricing, &json!("61.90")));
    adds_up(&shop, &order).await;
    shop.check_log().await;
    shop.verify().await;
}

#[tokio::test]
async fn a_dry_run_quotes_what_the_checkout_will_cost_and_uses_nothing() {
    let (shop, customer) = three_mugs_and_a_book(true).await;
    let path = format!("customer/{customer}/cart/checkout/?dry_run=true");
    let quote = shop.post(&path, to_germany()).await;
    assert_eq!(quote.status, StatusCode::OK, "{}", quote.body);
    assert_eq!(shop.read("discount/spring-24/").await["uses"], 0);
    let elsewhere = shop.post(&path, json!({ "shipping_country": "FR" })).await.body;
    assert_eq!((&elsewhere["total_amount"], &elsewhere["pricing"]["shipping"]), (&json!("64.77"), &json!("9.90")));
    let nowhere = shop.post(&path, json!({})).await.body;
    assert_eq!((&nowhere["total_amount"], &nowhere["pricing"]["tax"]), (&json!("64.77"), &json!("0.00")));
    let over_fifty = shop.post(&path, json!({ "shipping_country": "DE" })).await.body;
    assert_eq!((&over_fifty["total_amount"], &over_fifty["pricing"]["shipping"]), (&json!("54.87"), &json!("0.00")));

    let order = check_out(&shop, customer, to_germany()).await.body;
    for part in ["total_amount", "pricing", "lines"] {
        assert_eq!(quote.body[part], order[part], "{part}");
    }
    assert_eq!(shop.read("discount/spring-24/").await["uses"], 1);
}

#[tokio::test]
async fn the_shipping_address_decides_the_country() {
    let (shop, customer) = three_mugs_and_a_book(true).await;
    let home =
        json!({ "name": "Ada", "line1": "Am Wall 1", "postal_code": "28195", "city": "Bremen", "country": "DE" });
    shop.done(&format!("customer/{customer}/addresses/"), home.clone()).await;
    let elsewhere = json!({ "shipping_address_id": 1, "shipping_country": "FR" });
    assert_eq!(check_out(&shop, customer, elsewhere).await.problem(), "address_changed");
    let order =
        check_out(&shop, customer, json!({ "shipping_address_id": 1, "discount_code": "spring-24" })).await.body;
    assert_eq!((&order["total_amount"], &order["pricing"]["shipping"]), (&json!("54.28"), &json!("4.90")));

    let token = shop.done("carts/", Value::Null).await["cart_token"].as_str().unwrap().to_owned();
    shop.done(&format!("carts/{token}/items/"), json!({ "product_id": 1, "quantity": 1 })).await;
    let mut checkout = as_guest("Jo");
    checkout["shipping_address"] = home;
    let order = shop.done(&format!("carts/{token}/checkout/"), checkout).await;
    assert_eq!((&order["total_amount"], &order["pricing"]["tax"]), (&json!("14.89"), &json!("2.38")));
}

#[tokio::test]
async fn without_tables_and_codes_an_order_costs_its_lines() {
    let shop = TestShop::new().await;
    let mug = shop.product("Mug", "9.99", 50).await;
    let customer = shop.customer("Ada").await;
    put_table(&shop, "taxes", json!({ "inclusive": true, "rates": [] })).await;
    shop.add(customer, mug, 3).await;
    let order = check_out(&shop, customer, Value::Null).await.body;
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&order), ["order_id", "status", "order_date", "total_amount", "lines"]);
    assert_eq!(keys(&order["lines"][0]), ["product_id", "product_name", "quantity", "price_per_unit", "subtotal"]);
    let event = shop.read("events/?type=OrderPlaced").await[0]["payload"].clone();
    let mut names = keys(&event);
    names.sort();
    assert_eq!(names, ["customer_id", "event", "lines", "pay_by", "payment_method", "placed_at", "reference", "total"]);
    assert_eq!(event["lines"][0].as_object().unwrap().len(), 8);
}

#[tokio::test]
async fn an_order_entered_by_staff_costs_what_staff_enter() {
    let (shop, customer) = three_mugs_and_a_book(false).await;
    let lines = json!([{ "product_id": 1, "quantity": 2, "unit_price": "8.00" }]);
    let order = shop.done("orders/", json!({ "customer_id": customer, "lines": lines })).await;
    assert_eq!((&order["total_amount"], order.get("pricing")), (&json!("16.00"), None));
}

#[tokio::test]
async fn a_returned_line_reduces_spending_by_what_was_paid_for_it() {
    let (shop, customer) = three_mugs_and_a_book(true).await;
    let id = check_out(&shop, customer, to_germany()).await.body["order_id"].clone();
    for (step, body) in [("process", Value::Null), ("ship", json!({ "collected": true })), ("deliver", Value::Null)] {
        shop.done(&format!("order/{id}/{step}/"), body).await;
    }
    shop.done(&format!("order/{id}/return/"), json!({ "lines": [{ "line": 1, "quantity": 1 }] })).await;
    // A third of 26.97, and nothing of shipping.
    assert_eq!(shop.read("customer-stats/").await[0]["total_spent"], "45.29");
    shop.done(
        &format!("order/{id}/return/"),
        json!({ "lines": [{ "line": 1, "quantity": 2 }, { "line": 2, "quantity": 1 }] }),
    )
    .await;
    assert_eq!(shop.read("customer-stats/").await[0]["total_spent"], "4.90", "shipping was not taken back");
    shop.check_log().await;
    shop.verify().await;
}
