//! Verification of the log: a clean log passes, also under load, and every damage is found and named.

use std::process::Command;

use axum::http::StatusCode;
use cartwright::journal::{CheckedRule, check_log};
use futures_util::future::join_all;
use image::ImageFormat;
use serde_json::{Value, json};
use sqlx::{ConnectOptions, Executor};

use crate::support::TestShop;
use crate::support::guests::address;
use crate::support::pictures::{picture, upload};

/// Three orders: 1 of a customer, shipped; 2 of the same cart filled again, cancelled; 3 of a guest, pending.
async fn story() -> TestShop {
    let shop = TestShop::new().await;
    shop.category("Kitchen").await;
    let kettle =
        json!({ "name": "Kettle", "price": "24.90", "category": "Kitchen", "stock": 10, "low_stock_threshold": 0 });
    let product = shop.done("products/", kettle).await["product_id"].as_i64().unwrap();
    let customer = shop.customer("Ada").await;
    let check_out = format!("customer/{customer}/cart/checkout/");
    for key in ["first", "second"] {
        shop.add(customer, product, 2).await;
        let answer = shop.send("POST", &check_out, Value::Null, &[("idempotency-key", key)]).await;
        assert_eq!(answer.status, StatusCode::CREATED);
    }
    shop.done("order/1/process/", Value::Null).await;
    shop.done("order/1/ship/", json!({ "collected": true })).await;
    shop.done("order/2/cancel/", Value::Null).await;
    shop.done("orders/", json!({ "lines": [{ "product_id": product, "quantity": 3 }] })).await;
    shop
}

/// The customer of the story enters a default address, and wishes for the product.
async fn enter_address_and_wish(shop: &TestShop) {
    let mut home = address("Ada", "GB");
    home["default_shipping"] = json!(true);
    shop.done("customer/1/addresses/", home).await;
    let wish = shop.send("PUT", "customer/1/wishlist/1/", Value::Null, &[]).await;
    assert!(wish.status.is_success(), "{}", wish.body);
}

/// A category comes below another, and the product of the story moves from one family to another.
async fn group(shop: &TestShop) {
    let home = shop.category("Home").await;
    shop.done("categories/", json!({ "category_name": "Garden", "parent_id": home })).await;
    for name in ["Small", "Large"] {
        let family = shop.done("families/", json!({ "name": name, "options": ["size"] })).await["family_id"].clone();
        let place = json!({ "family_id": family, "options": { "size": "S" } });
        let placed = shop.send("PUT", "product/1/family/", place, &[]).await;
        assert!(placed.status.is_success(), "{}", placed.body);
    }
}

/// Changes the database directly, past every guard.
async fn damage(shop: &TestShop, statements: &str) {
    let unguarded =
        format!("alter table events disable trigger user; {statements}; alter table events enable trigger user");
    shop.pool.execute(unguarded.as_str()).await.unwrap();
}

/// Keeps a copy of everything that a damage touches.
const KEEP: &str = "create schema kept; create table kept.events as table events;
    create table kept.journal_head as table journal_head; create table kept.idempotency as table idempotency";
const RESTORE: &str = "alter table events_archive disable trigger user; delete from events_archive;
    alter table events_archive enable trigger user; delete from events; insert into events table kept.events;
    delete from journal_head; insert into journal_head table kept.journal_head;
    delete from idempotency; insert into idempotency table kept.idempotency";

/// The rules that the log breaks.
async fn broken(shop: &TestShop) -> Vec<CheckedRule> {
    check_log(&shop.pool).await.unwrap().into_iter().filter(|rule| rule.offences > 0).collect()
}

/// Damages, the rules that find them, and what the first finding says.
const DAMAGES: [(&str, &[&str], &str); 33] = [
    (
        "update events set payload = payload || '{\"image_ids\": [9]}' where event_type = 'ProductImageAdded'",
        &["images"],
        "Product/1: expected [1]; found [9]",
    ),
    (
        "update events set payload = payload || '{\"stock\": 9}' where event_type = 'ProductRanLow'",
        &["low_stock"],
        "Product/1: expected a fall below the threshold by the event before; found 9 units with a threshold of 8",
    ),
    (
        "delete from events where aggregate_type = 'Claim'",
        &["positions"],
        "position 2, Category/1: expected position 1; found position 2",
    ),
    (
        "update journal_head set position = position + 1",
        &["positions"],
        "position 43, the head: expected position 43; found position 44",
    ),
    (
        "update events set recorded_at = recorded_at - interval '1 hour' where position = 6",
        &["times"],
        "position 6, Product/1: expected recorded at",
    ),
    ("update journal_head set recorded_at = '2000-01-01'", &["times"], "position 43, the head: expected recorded at"),
    (
        "update events set sequence = 3 where aggregate_type = 'Category' and sequence = 2",
        &["streams"],
        "Category/1: expected sequence 2; found sequence 3",
    ),
    (
        "update events set payload = payload || '{\"on_hand\": 9}'
         where event_type = 'StockReserved' and payload ->> 'order_id' = '1'",
        &["stock"],
        "Product/1: expected 10 on hand and 2 reserved, not below 0; found 9 on hand and 2 reserved",
    ),
    (
        "update events set payload = payload || '{\"quantity\": 9}' where event_type = 'StockReceived'",
        &["stock"],
        "Product/1: expected 9 on hand and 0 reserved, not below 0; found 10 on hand and 0 reserved",
    ),
    (
        "update events set payload = payload - 'reserved' where event_type = 'StockReleased'",
        &["stock"],
        "found 8 on hand and  reserved",
    ),
    // Oversold, with figures that are consistent with each other.
    (
        "update events set payload = payload || '{\"quantity\": 1}' where event_type = 'StockReceived';
         update events set payload = payload || jsonb_build_object('on_hand', (payload ->> 'on_hand')::bigint - 9)
         where event_type like 'Stock%'",
        &["stock"],
        "Product/1: expected at most 1 reserved; found 1 on hand and 2 reserved",
    ),
    (
        "update events set payload = jsonb_set(payload, '{lines,0,quantity}', '3') where event_type = 'OrderShipmentSent'",
        &["reservations", "units"],
        "Order/1, Product/1: expected 2 reserved, 0 released, 3 shipped, 0 returned",
    ),
    (
        "update events set event_type = 'OrderProcessingStarted' where event_type = 'OrderShipped'",
        &["units"],
        "Order/1: expected shipped, because nothing is left to ship; found still open",
    ),
    (
        "update events set payload = jsonb_set(payload, '{lines,0,quantity}', '4')
         where event_type = 'OrderPlaced' and aggregate_id = '3'",
        &["reservations", "money"],
        "position 23, Order/3, Product/1: expected 4 reserved, 0 released, 0 shipped, 0 returned; \
         found 3 reserved, 0 released, 0 shipped, 0 returned",
    ),
    (
        "update events set event_type = 'OrderCompleted' where event_type = 'OrderCancelled'",
        &["reservations"],
        "Order/2, Product/1: expected 2 reserved, 0 released, 0 shipped, 0 returned; \
         found 2 reserved, 2 released, 0 shipped, 0 returned",
    ),
    (
        "update events set payload = payload || '{\"order_id\": 99}'
         where event_type = 'StockReserved' and payload ->> 'order_id' = '3'",
        &["reservations"],
        "Order/3, Product/1: expected 3 reserved, 0 released, 0 shipped, 0 returned; found nothing reserved",
    ),
    // The released amount is less than the order's total.
    (
        "update events set payload = payload || '{\"total\": \"1.00\"}' where event_type = 'OrderCancelled'",
        &["money"],
        "Order/2: expected refunded <= paid, credited <= total, nothing left of a cancelled order; found total",
    ),
    (
        "update events set event_type = 'OrderRefunded',
             payload = payload || '{\"amount\": \"1.00\", \"credit\": \"1.00\"}'
         where event_type = 'OrderCancelled'",
        &["reservations", "money"],
        "Order/2, Product/1: expected 2 reserved, 0 released",
    ),
    (
        "update events set payload = payload || '{\"payment_method\": \"card\"}'
         where event_type = 'OrderPlaced' and aggregate_id = '1'",
        &["captures"],
        "Order/1: expected its online payment is captured before it ships; found 49.80 due",
    ),
    (
        "update events set payload = payload || '{\"shipping\": 99}' where event_type = 'CustomerDefaultAddressesChanged'",
        &["addresses"],
        "Customer/1: expected a default address that the customer has; found address 99 not added",
    ),
    (
        "update events set payload = payload || '{\"parent_id\": 99}' where event_type = 'CategoryCreated' and payload ? 'parent_id'",
        &["categories"],
        "Category/3: expected at most 8 levels, the first without a parent; found the parent 99, which was never created",
    ),
    (
        "update events set event_type = 'FamilyProductChanged', payload = payload || '{\"options\": {\"size\": \"M\"}}'
         where event_type = 'FamilyProductRemoved'",
        &["families"],
        "Family/2, product 1: expected in one family; found in family 1 too",
    ),
    (
        "update events set event_type = 'WishlistItemRemoved' where event_type = 'WishlistItemAdded'",
        &["wishlists"],
        "product 1: expected once or not at all, among at most 500; found -1 times",
    ),
    (
        "update events set payload = payload || '{\"pricing\": {\"discount_code\": \"FIVE\"}}'
         where event_type = 'OrderPlaced' and aggregate_id = '2'",
        &["money", "discounts"],
        "found a total of 49.80",
    ),
    (
        "update events set event_type = 'CartEmptied'
         where event_type = 'CartItemAdded' and position > (select min(position) from events where event_type = 'CartCheckedOut')",
        &["checkouts"],
        "found the event before it is CartEmptied",
    ),
    (
        "update events set payload = payload || '{\"order_id\": 1}' where event_type = 'CartCheckedOut'",
        &["checkouts"],
        "position 15, Cart/1: expected Order/1 is placed by the same command, for this cart alone, \
         filled since its last checkout; found position 11 checked out another cart",
    ),
    (
        "update events set payload = payload || '{\"order_id\": 99}' where event_type = 'CartCheckedOut'",
        &["checkouts"],
        "found no such order",
    ),
    (
        "update events set metadata = metadata || '{\"causation_id\": \"another\"}'
         where event_type = 'OrderPlaced' and aggregate_id = '3'
            or event_type = 'CartCheckedOut' and payload ->> 'order_id' = '1'",
        &["checkouts", "keys"],
        "found another command placed it",
    ),
    (
        "update events set metadata = metadata || jsonb_build_object('key_digest', (select min(key_digest) from idempotency))
         where position = 23",
        &["keys", "answers"],
        "position 23, key ",
    ),
    // The events of one command are not contiguous.
    (
        "update events set metadata = (select metadata from events where position = 9) where position = 23",
        &["keys", "answers"],
        "the next event of its command at position 12",
    ),
    ("update idempotency set position = position + 1", &["answers"], "its answer at position"),
    (
        "update events set metadata = metadata || '{\"key_digest\": \"same\"}' where position in (22, 23)",
        &[],
        "",
    ),
    (
        "alter table events_archive disable trigger user;
         insert into events_archive select * from events where aggregate_type = 'Category' and sequence = 1;
         delete from events where aggregate_type = 'Category' and sequence = 1;
         alter table events_archive enable trigger user",
        &["archive"],
        "expected number 0 or less",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_passes_a_clean_log_and_finds_its_damage() {
    let shop = story().await;
    enter_address_and_wish(&shop).await;
    group(&shop).await;
    let low = shop.send("PATCH", "product/1/", json!({ "low_stock_threshold": 8 }), &[]).await;
    assert_eq!(low.status, StatusCode::OK, "{}", low.body);
    let image = upload(&shop, "POST", "product/1/images/", &picture(9, 9, [9, 9, 9], ImageFormat::Png)).await;
    assert_eq!(image.status, StatusCode::CREATED, "{}", image.body);
    let clean = check_log(&shop.pool).await.unwrap();
    for rule in &clean {
        assert_eq!((rule.offences, &rule.findings[..]), (0, &[][..]), "{}", rule.name);
        assert!(rule.checked > 0, "{} looked at nothing", rule.name);
        assert!(DAMAGES.iter().any(|(_, rules, _)| rules.contains(&rule.name)), "{} was never broken", rule.name);
    }
    shop.pool.execute(KEEP).await.unwrap();
    for (statements, rules, says) in DAMAGES {
        damage(&shop, statements).await;
        let broken = broken(&shop).await;
        let names: Vec<_> = broken.iter().map(|rule| rule.name).collect();
        assert_eq!(names, rules, "{statements}: {broken:?}");
        if let Some(first) = broken.first() {
            let finding = first.findings[0].to_string();
            assert!(finding.contains(says), "{statements}: {finding}");
        }
        damage(&shop, RESTORE).await;
    }
}

/// Older shops took units back before they were shipped by a return, which withdrew them.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_with_withdrawn_units_passes_every_rule_and_continues() {
    let shop = story().await;
    let line = json!({
        "line": 1, "product_id": 1, "quantity": 1, "withdrawn": 1, "restocked": true,
        "subtotal": "24.90", "amount": "24.90",
    });
    let returned = json!({
        "event": "OrderReturned", "reason": null, "lines": [line], "credit": "24.90", "fulfilment": "unfulfilled",
        "customer_id": null, "placed_at": "2026-05-01T12:30:00Z",
    });
    let released = json!({ "event": "StockReleased", "order_id": 3, "quantity": 1, "on_hand": 8, "reserved": 2 });
    for (kind, id, payload) in [("Order", "3", &returned), ("Product", "1", &released)] {
        sqlx::query(
            "insert into events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
             select $1, $2, max(sequence) + 1, $3 ->> 'event', '1.0', $3, '{}'
             from events
             where aggregate_type = $1 and aggregate_id = $2",
        )
        .bind(kind)
        .bind(id)
        .bind(payload)
        .execute(&shop.pool)
        .await
        .unwrap();
    }
    assert_eq!(broken(&shop).await, vec![]);
    let line = shop.read("order/3/summary/").await["lines"][0].clone();
    assert_eq!((&line["withdrawn"], &line["returned"]), (&json!(1), &json!(0)));
    shop.done("order/3/cancel/", json!({ "lines": [{ "line": 1, "quantity": 1 }] })).await;
    shop.done("order/3/process/", Value::Null).await;
    shop.done("order/3/ship/", json!({ "collected": true })).await;
    shop.done("order/3/return/", json!({ "lines": [{ "line": 1, "quantity": 1 }] })).await;
    let seen = shop.read("order/3/summary/").await;
    assert_eq!(
        (&seen["status"], &seen["fulfilment"], &seen["due"]),
        (&json!("completed"), &json!("returned"), &json!("0.00"))
    );
    let product = shop.read("product/1/").await;
    assert_eq!((&product["on_hand"], &product["reserved"]), (&json!(8), &json!(0)));
    assert_eq!(broken(&shop).await, vec![]);
    shop.verify().await;
}

/// Invoices, part payments, refunds and shipments of older versions break no rule.
#[tokio::test(flavor = "multi_thread")]
async fn only_online_orders_must_be_captured_before_they_ship() {
    let shop = story().await;
    let paid_by = |method: &str| {
        format!(
            "update events set payload = payload || '{{\"payment_method\": \"{method}\"}}'
             where event_type = 'OrderPlaced' and aggregate_id = '1'"
        )
    };
    shop.pool.execute(KEEP).await.unwrap();
    // The event before the shipment, and whether it is enough.
    for (before, enough) in [
        (json!({ "event": "OrderPaid", "attempt": 1, "amount": "49.80", "reference": "r" }), true),
        (json!({ "event": "OrderPartiallyPaid", "attempt": 1, "amount": "9.80", "due": "40.00" }), false),
        (json!({ "event": "OrderPaymentAuthorised", "attempt": 1, "amount": "49.80", "reference": "r" }), false),
    ] {
        let replace = format!(
            "update events set event_type = '{}', payload = '{before}'
             where event_type = 'OrderProcessingStarted' and aggregate_id = '1'",
            before["event"].as_str().unwrap()
        );
        damage(&shop, &replace).await;
        assert_eq!(broken(&shop).await, vec![], "an order without a method");
        damage(&shop, &paid_by("invoice")).await;
        assert_eq!(broken(&shop).await, vec![], "an invoice");
        damage(&shop, &paid_by("card")).await;
        let names: Vec<_> = broken(&shop).await.iter().map(|rule| rule.name).collect();
        assert_eq!(names.is_empty(), enough, "{before}: {names:?}");
        sqlx::query("update log_rule_start set position = 1000").execute(&shop.pool).await.unwrap();
        assert_eq!(broken(&shop).await, vec![], "an older shop shipped it");
        sqlx::query("update log_rule_start set position = 0").execute(&shop.pool).await.unwrap();
        damage(&shop, RESTORE).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_may_be_reused_after_a_day() {
    let shop = story().await;
    damage(
        &shop,
        "update journal_head set recorded_at = recorded_at + interval '1 day';
         update events set recorded_at = recorded_at + interval '1 day',
             metadata = metadata || jsonb_build_object('key_digest', (select min(key_digest) from idempotency))
         where position = 23;
         delete from idempotency",
    )
    .await;
    assert_eq!(broken(&shop).await, vec![]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_ten_findings_are_shown_with_the_count_of_all() {
    let shop = story().await;
    damage(&shop, "update events set sequence = sequence + 100").await;
    let broken = broken(&shop).await;
    let [streams] = &broken[..] else { panic!("{broken:?}") };
    assert_eq!((streams.name, streams.offences, streams.findings.len()), ("streams", 23, 10));
    assert_eq!(
        streams.findings[0].to_string(),
        "position 1, Claim/category-name:kitchen: expected sequence 1; found sequence 101"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_checked_while_the_shop_sells() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "24.90", 1_000).await;
    let customers = shop.customers(8).await;
    let node = &shop;
    let sales = join_all(customers.iter().map(|customer| async move {
        for place in 0..20 {
            node.add(*customer, product, 1).await;
            let (path, key) = (format!("customer/{customer}/cart/checkout/"), format!("{customer}-{place}"));
            let sold = node.send("POST", &path, Value::Null, &[("idempotency-key", &key)]).await;
            assert_eq!(sold.status, StatusCode::CREATED);
        }
    }));
    let began = shop.engine.journal.position();
    let audits = async {
        let mut sizes = Vec::new();
        while sizes.last().is_none_or(|size| *size < began + 20 * 8 * 4) {
            let checked = check_log(&shop.pool).await.unwrap();
            assert_eq!(checked.iter().map(|rule| rule.offences).sum::<i64>(), 0, "{checked:?}");
            assert_eq!(checked[0].checked, checked[1].checked, "every rule looks at the same log");
            sizes.push(checked[0].checked);
        }
        sizes
    };
    let ((), sizes) = futures_util::future::join(async { drop(sales.await) }, audits).await;
    assert!(
        sizes.iter().any(|size| (began + 1..began + 20 * 8 * 4).contains(size)),
        "nothing was sold meanwhile: {sizes:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_log_reports_what_is_wrong_and_exits_with_1() {
    let shop = story().await;
    let url = shop.pool.connect_options().to_url_lossy();
    let verify = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_cartwright"))
            .args(["verify", "--log"])
            .args(args)
            .env("DATABASE_URL", url.as_str())
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, printed) = verify(&[]);
    assert_eq!(code, Some(0), "{printed}");
    assert!(
        printed.lines().all(|line| line.ends_with(": ok")) && printed.contains("       23 events: ok"),
        "{printed}"
    );

    damage(&shop, "update events set sequence = 3 where aggregate_type = 'Category' and sequence = 2").await;
    let (code, printed) = verify(&["orders"]);
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.contains("streams") && printed.contains("1 WRONG"), "{printed}");
    assert!(printed.contains("position 5, Category/1: expected sequence 2; found sequence 3"), "{printed}");
    assert!(printed.contains("rows at position 23: equal"), "the table agrees with the wrong log: {printed}");
}
