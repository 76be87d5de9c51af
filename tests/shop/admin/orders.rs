//! Orders: the list with its daily links, what staff do with an order, and refusals in plain words.

use axum::http::StatusCode;
use cartwright::domain::account::Role;
use serde_json::{Value, json};

use crate::support::TestShop;
use crate::support::guests::{address, as_guest};
use crate::support::visitor::{VisitedPage, Visitor};

/// An order of a customer, who is numbered from 1.
async fn order_of(shop: &TestShop, customer: i64, lines: Value) -> i64 {
    let order = json!({ "customer_id": customer, "lines": lines, "shipping_address": address("Ada", "GB") });
    shop.done("orders/", order).await["order_id"].as_i64().unwrap()
}

fn line(product: i64, quantity: i64) -> Value {
    json!({ "product_id": product, "quantity": quantity })
}

fn has(page: &VisitedPage, texts: &[&str]) {
    for text in texts {
        assert!(page.html.contains(text), "{text}: {}", page.html);
    }
}

#[tokio::test]
async fn the_list_of_orders_finds_filters_and_links() {
    let shop = TestShop::new().await;
    let kettle = shop.product("Kettle", "20.00", 50).await;
    let ada = shop.customer("Ada").await;
    let first = order_of(&shop, ada, json!([line(kettle, 3)])).await;
    let cart = shop.guest_cart(kettle).await;
    let guest = shop.done(&format!("{cart}checkout/"), as_guest("Jo")).await["order_id"].as_i64().unwrap();
    let referenced = json!({ "reference": "4711", "placed_at": "2026-01-31T12:00:00Z", "lines": [line(kettle, 1)] });
    let referenced = shop.done("orders/", referenced).await["order_id"].as_i64().unwrap();
    shop.done(&format!("order/{first}/pay/"), json!({})).await;
    shop.settle().await;
    let visitor = Visitor::logged_in(&shop, Role::Reader).await;
    let row = |order: i64| format!("<a href=\"/admin/orders/{order}\" data-open>");

    let list = visitor.visit("/admin/orders").await;
    has(&list, &["Ada Miller", "Jo Miller", "Milltown", "60.00\u{a0}EUR", "not paid", "not sent", ">3</td>", "4711"]);
    assert!(!list.html.contains("type=\"checkbox\""), "a reader changes nothing: {}", list.html);
    for (query, orders) in [
        ("status=pending&payment=paid", vec![first]),
        ("search=jo@example.com", vec![guest]),
        ("search=stranger@example.com", vec![]),
        ("period=today", vec![first, guest]),
        ("period=today&from=2026-01-31&to=2026-01-31", vec![referenced]),
        ("city=milltown&category_id=1", vec![first, guest]),
        ("customer_id=1", vec![first]),
        ("refund=requested", vec![]),
    ] {
        let list = visitor.visit(&format!("/admin/orders?{query}")).await;
        for order in [first, guest, referenced] {
            assert_eq!(list.html.contains(&row(order)), orders.contains(&order), "{query}, {order}: {}", list.html);
        }
        assert_eq!(list.html.contains("Nothing matches the filters."), orders.is_empty(), "{query}");
        let csv = visitor.visit(&format!("/admin/orders/csv?{query}")).await;
        assert_eq!(csv.html.lines().count().saturating_sub(1), orders.len(), "{query}: {}", csv.html);
    }
    // A number leads to its order, unless it is also a reference.
    let found = visitor.get(&format!("/admin/orders?search=%23{guest}")).await;
    assert_eq!(found.header("location"), format!("/admin/orders/{guest}"));
    assert!(visitor.visit("/admin/orders?search=4711").await.html.contains(&row(referenced)));
    has(&visitor.visit("/admin/orders?search=999").await, &["Nothing matches the filters."]);
    let refused = visitor.visit("/admin/orders?from=31.01.2026&status=open").await;
    has(&refused, &["role=\"alert\"", "status", "value=\"31.01.2026\""]);
    has(&visitor.visit("/admin/orders/short").await, &["Every order can be served from the stock."]);
    let daily: Vec<_> = list.links().into_iter().filter(|link| link.starts_with("/admin/orders?")).collect();
    assert_eq!(daily.len(), 7, "{daily:?}");
    for link in daily {
        visitor.visit(&link).await;
    }
    let pages =
        [format!("/admin/orders/{first}"), format!("/admin/orders/{guest}"), format!("/admin/orders/{first}/slip")];
    for path in pages {
        let page = visitor.visit(&path).await;
        let forms = page.forms().into_iter().filter(|form| form.method == "post").count();
        assert_eq!(forms, 1, "only the log-out: {}", page.html);
    }
    assert_eq!(visitor.get(&format!("/admin/orders/{first}/ship")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(visitor.get("/admin/orders/99").await.status, StatusCode::NOT_FOUND);
    assert_eq!(visitor.get(&format!("/admin/orders/{first}/explode")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_order_goes_from_placed_to_refunded_through_its_pages() {
    let shop = TestShop::new().await;
    let (kettle, mug) = (shop.product("Kettle", "20.00", 10).await, shop.product("Mug <b>", "5.00", 10).await);
    let ada = shop.customer("Ada").await;
    let order = order_of(&shop, ada, json!([line(kettle, 3), line(mug, 2)])).await;
    let visitor = Visitor::logged_in(&shop, Role::Editor).await;
    let at = |action: &str| format!("/admin/orders/{order}/{action}");
    let detail = format!("/admin/orders/{order}");
    let page = visitor.visit(&detail).await;
    has(&page, &["Ada Miller", "12 Mill Lane", "70.00\u{a0}EUR", "Mug &#60;b&#62;", "Order placed"]);
    assert!(!page.links().contains(&at("ship")), "it is not packed yet: {}", page.html);

    // A part is paid, then too much, then the rest; what was typed stays.
    let pay = visitor.visit(&at("pay")).await;
    assert_eq!(pay.form(&at("pay")).value("amount"), "70.00");
    let step = ("step", "apply");
    let refused = visitor.submit(&pay, &at("pay"), &[("amount", "much"), ("reference", "INV-1"), step]).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    has(&refused, &["id=\"amount-error\""]);
    assert_eq!(refused.form(&at("pay")).value("reference"), "INV-1");
    let refused = visitor.submit(&refused, &at("pay"), &[("amount", "99.00"), step]).await;
    assert_eq!((refused.status, refused.form(&at("pay")).value("amount")), (StatusCode::CONFLICT, "99.00"));
    assert!(refused.html.contains("at most the amount due") && !refused.html.contains("allowed:"), "{}", refused.html);
    let paid = visitor.submit(&refused, &at("pay"), &[("amount", "70.00"), step]).await;
    has(&visitor.follow(&paid).await, &["The payment was recorded.", "recorded by staff", "INV-1", "received"]);

    let (page, cancel) = (visitor.visit(&detail).await, visitor.visit(&at("cancel")).await);
    let packed = visitor.submit(&page, &at("process"), &[]).await;
    has(&visitor.follow(&packed).await, &["The order is being packed.", "being packed"]);
    // A form of an older page changes nothing.
    let stale = visitor.submit(&cancel, &at("cancel"), &[("reason", "twice"), step]).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED, "{}", stale.html);
    has(&stale, &["changed in the meantime", "value=\"twice\""]);

    // Two of three kettles and a mug are sent.
    let ship = visitor.visit(&at("ship")).await;
    assert_eq!(ship.form(&at("ship")).value("units.1"), "3");
    let typed = [("units.1", "9"), ("units.2", "1"), ("carrier", "DHL"), ("tracking_number", "0034"), step];
    let refused = visitor.submit(&ship, &at("ship"), &typed).await;
    assert_eq!((refused.status, refused.form(&at("ship")).value("carrier")), (StatusCode::CONFLICT, "DHL"));
    let wrong = visitor.submit(&refused, &at("ship"), &[("units.1", "two"), step]).await;
    has(&wrong, &["id=\"units.1-error\"", "value=\"two\""]);
    let none = visitor.submit(&refused, &at("ship"), &[("units.1", "0"), ("units.2", ""), step]).await;
    has(&none, &["enter how many"]);
    let sent = visitor.submit(&wrong, &at("ship"), &[("units.1", "2"), step]).await;
    has(&visitor.follow(&sent).await, &["The shipment was recorded.", "Shipment 1", "with DHL", "0034", "2 × Kettle"]);
    let slip = visitor.visit(&at("slip")).await;
    has(&slip, &["<strong>Ada Miller</strong>", "Mug &#60;b&#62;", "data-print"]);
    assert!(!slip.html.contains("EUR</td>") && slip.html.contains("<dd>2</dd>"), "two units are left: {}", slip.html);
    has(&visitor.visit(&format!("{}?shipment=1", at("slip"))).await, &["<dd>3</dd>"]);

    // The last kettle is broken: its price goes back, after a preview that changes nothing.
    let give_up = visitor.visit(&at("give-up")).await;
    let preview = visitor.submit(&give_up, &at("give-up"), &[("units.1", "1"), ("reason", "broken")]).await;
    has(&preview, &["What will happen", "20.00\u{a0}EUR were recorded by staff", "refund 20.00\u{a0}EUR"]);
    assert_eq!(shop.read(&format!("order/{order}/summary/")).await["refunded"], "0.00");
    let given_up = visitor.submit(&preview, &at("give-up"), &[]).await;
    has(&visitor.follow(&given_up).await, &["The units were given up.", "partly refunded", "broken"]);

    let page = visitor.visit(&at("ship")).await;
    visitor.submit(&page, &at("ship"), &[("collected", "true"), step]).await;
    let page = visitor.visit(&at("deliver")).await;
    let delivered = visitor.submit(&page, &at("deliver"), &[step]).await;
    has(&visitor.follow(&delivered).await, &["The delivery was recorded.", "completed", "Collected by the buyer"]);

    // A mug comes back, without money; then the money is refunded with a preview of the amount.
    let page = visitor.visit(&at("return")).await;
    assert_eq!(page.form(&at("return")).value("restock"), "true");
    let form = page.form(&at("return"));
    let fields: Vec<_> = form.fields.iter().filter(|(name, _)| name != "refund" && name != "units.2").collect();
    let mut fields: Vec<_> = fields.into_iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    fields.push(("units.2", "1"));
    let preview = visitor.post(&at("return"), &fields).await;
    has(&preview, &["No money goes back.", "units for sale afterwards"]);
    let returned = visitor.submit(&preview, &at("return"), &[]).await;
    has(&visitor.follow(&returned).await, &["The return was recorded."]);
    let page = visitor.visit(&at("refund")).await;
    assert_eq!(page.form(&at("refund")).value("amount"), "50.00");
    let refused = visitor.submit(&page, &at("refund"), &[("amount", "51.00")]).await;
    has(&refused, &["At most 50.00 can be refunded"]);
    let preview = visitor.submit(&refused, &at("refund"), &[("amount", "5.00"), ("reason", "mug")]).await;
    has(&preview, &["Refund 5.00\u{a0}EUR"]);
    let refunded = visitor.submit(&preview, &at("refund"), &[]).await;
    has(&visitor.follow(&refunded).await, &["The refund was made or requested.", "25.00\u{a0}EUR", "mug"]);
    // A second click has no second effect.
    visitor.submit(&preview, &at("refund"), &[]).await;
    assert_eq!(shop.read(&format!("order/{order}/summary/")).await["refunded"], "25.00");
    has(&visitor.visit(&at("cancel")).await, &["The order does not allow this now."]);
    shop.verify().await;
}

#[tokio::test]
async fn recipients_and_notes_are_corrected_and_refusals_keep_what_was_typed() {
    let shop = TestShop::new().await;
    let kettle = shop.product("Kettle", "20.00", 10).await;
    let entered = json!({ "lines": [line(kettle, 1)] });
    let order = shop.done("orders/", entered).await["order_id"].as_i64().unwrap();
    shop.done(&format!("order/{order}/pay/"), json!({})).await;
    shop.done(&format!("order/{order}/process/"), Value::Null).await;
    let visitor = Visitor::logged_in(&shop, Role::Editor).await;
    let at = |part: &str| format!("/admin/orders/{order}/{part}");
    let ship = visitor.visit(&at("ship")).await;
    let refused = visitor.submit(&ship, &at("ship"), &[("tracking_number", "0034"), ("step", "apply")]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    has(&refused, &["The order has no shipping address.", "Enter the shipping address", "value=\"0034\""]);

    let page = visitor.visit(&at("recipients")).await;
    let shipping = at("addresses/shipping");
    let typed = [
        ("shipping.name", "Jo <i>"),
        ("shipping.line1", "1 Mill Lane"),
        ("shipping.postal_code", "AB1 2CD"),
        ("shipping.city", "Milltown"),
        ("shipping.country", "Britain"),
    ];
    let refused = visitor.submit(&page, &shipping, &typed).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.html);
    has(&refused, &["id=\"shipping.country-error\"", "value=\"Britain\"", "value=\"1 Mill Lane\""]);
    let saved = visitor.submit(&refused, &shipping, &[("shipping.country", "GB")]).await;
    has(&visitor.follow(&saved).await, &["The address was corrected.", "Jo &#60;i&#62;", "1 Mill Lane"]);
    let page = visitor.visit(&at("recipients")).await;
    let refused = visitor.submit(&page, &at("contact"), &[("name", "Jo"), ("email", "jo")]).await;
    has(&refused, &["id=\"email-error\"", "value=\"jo\""]);
    let saved = visitor.submit(&refused, &at("contact"), &[("email", "jo@example.com")]).await;
    has(&visitor.follow(&saved).await, &["The contact was corrected.", "/admin/orders?email=jo%40example.com"]);

    let page = visitor.visit(&format!("/admin/orders/{order}")).await;
    let refused = visitor.submit(&page, &at("notes"), &[("metadata", "gift")]).await;
    has(&refused, &["id=\"metadata-error\"", "in line 1"]);
    let saved = visitor.submit(&refused, &at("notes"), &[("metadata", "gift: yes\nwish: card: \"Hi\"")]).await;
    has(&visitor.follow(&saved).await, &["The notes were saved.", "gift: yes"]);
    let summary = shop.read(&format!("order/{order}/summary/")).await;
    assert_eq!(summary["metadata"], json!({ "gift": "yes", "wish": "card: \"Hi\"" }));
    shop.done(&format!("order/{order}/ship/"), json!({})).await;
    assert!(!visitor.visit(&format!("/admin/orders/{order}")).await.html.contains("/recipients"), "it was sent");
    let page = visitor.visit(&at("recipients")).await;
    let late = visitor.submit(&page, &at("contact"), &[("name", "Late")]).await;
    assert_eq!((late.status, late.form(&at("contact")).value("name")), (StatusCode::CONFLICT, "Late"));
    has(&late, &["Everything was sent already"]);
}

#[tokio::test]
async fn chosen_orders_are_shipped_or_cancelled_after_a_preview_of_each() {
    let shop = TestShop::new().await;
    let kettle = shop.product("Kettle", "20.00", 10).await;
    let ada = shop.customer("Ada").await;
    let mut orders = Vec::new();
    for _ in 0..3 {
        orders.push(order_of(&shop, ada, json!([line(kettle, 1)])).await.to_string());
    }
    shop.done(&format!("order/{}/pay/", orders[0]), json!({})).await;
    for order in &orders[..2] {
        shop.done(&format!("order/{order}/process/"), Value::Null).await;
    }
    shop.settle().await;
    let visitor = Visitor::logged_in(&shop, Role::Editor).await;
    let list = visitor.visit("/admin/orders?status=processing").await;
    let form = list.form("/admin/orders/bulk");
    let chosen = |action: &'static str| {
        let mut fields = vec![("csrf", form.value("csrf")), ("back", form.value("back")), ("action", action)];
        fields.extend(orders.iter().map(|order| ("ids", order.as_str())));
        fields.push(("carrier", "DPD"));
        fields
    };
    let preview = visitor.post("/admin/orders/bulk", &chosen("ship")).await;
    has(&preview, &["This will change 2 of 3 orders.", "refused", "on its way", "start packing first"]);
    assert_eq!(shop.read(&format!("order/{}/summary/", orders[0])).await["shipments"], json!([]));
    let applied = visitor.submit(&preview, "/admin/orders/bulk/apply", &[]).await;
    has(&applied, &["2 of 3 orders were changed", "Back to the list", "?status=processing"]);
    let shipped = shop.read(&format!("order/{}/summary/", orders[1])).await;
    assert_eq!((&shipped["shipments"][0]["carrier"], &shipped["fulfilment"]), (&json!("DPD"), &json!("shipped")));

    let preview = visitor.post("/admin/orders/bulk", &chosen("cancel")).await;
    has(&preview, &["This will change 1 of 3 orders."]);
    let csrf = form.value("csrf");
    let mut one =
        vec![("csrf", csrf), ("action", "cancel"), ("back", "/admin/orders?payment=pending"), ("ids", &orders[2])];
    one.push(("ids", &orders[2]));
    let preview = visitor.post("/admin/orders/bulk", &one).await;
    has(&preview, &["This will change 1 of 1 orders."]);
    let applied = visitor.submit(&preview, "/admin/orders/bulk/apply", &[]).await;
    assert_eq!(applied.header("location"), "/admin/orders?payment=pending");
    has(&visitor.follow(&applied).await, &["Cancel the order: 1 order was changed."]);
    assert_eq!(shop.read(&format!("order/{}/summary/", orders[2])).await["status"], "cancelled");
    let row = &shop.read("orders/?view=full&status=cancelled").await[0];
    assert_eq!((&row["units"], &row["kept_units"]), (&json!(1), &json!(0)), "nothing is kept of a cancelled order");
    let none = visitor.post("/admin/orders/bulk", &[("csrf", form.value("csrf")), ("action", "ship")]).await;
    has(&none, &["choose at least one order"]);
    let reader = Visitor::logged_in(&shop, Role::Reader).await;
    let page = reader.visit("/admin/orders").await;
    let token = page.form("/admin/log-out").value("csrf").to_owned();
    let refused = reader.post("/admin/orders/bulk", &[("csrf", &token), ("action", "ship"), ("ids", &orders[0])]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}
