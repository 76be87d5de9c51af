//! A product: its data, stock and images, as forms of its page.

use axum::http::StatusCode;
use cartwright::domain::account::Role;
use image::ImageFormat;
use serde_json::json;

use crate::support::TestShop;
use crate::support::pictures::picture;
use crate::support::visitor::Visitor;

#[tokio::test]
async fn a_product_is_created_with_its_details_and_copied() {
    let shop = TestShop::new().await;
    let category = shop.category("Kitchen").await.to_string();
    let visitor = Visitor::logged_in(&shop, Role::Editor).await;
    let new = "/admin/products/new";
    let form = visitor.visit(new).await;
    let typed = [
        ("name", "Kettle <b>"),
        ("price", "cheap"),
        ("category", category.as_str()),
        ("stock", "12"),
        ("description", "1.7 l\r\n\"quiet\""),
        ("spec_key", "power"),
        ("spec_value", "2200 W"),
        ("meta_key", "erp"),
        ("meta_value", "k-1"),
        ("phone.storage", "128"),
        ("phone.is_new", "true"),
        ("imei", "35-693803-564380-9"),
    ];
    let refused = visitor.submit(&form, new, &typed).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.html.contains("id=\"price-error\"") && !refused.html.contains("Kettle <b>"), "{}", refused.html);
    let kept = refused.form(new);
    for (name, value) in typed {
        assert_eq!(kept.value(name), value, "{name} is kept");
    }
    let created = visitor.follow(&visitor.submit(&refused, new, &[("price", "24.90")]).await).await;
    assert!(created.html.contains("The product was created."), "{}", created.html);
    let product = shop.read("product/1/").await;
    let details = (&product["specifications"], &product["metadata"], &product["phone"], &product["stock"]);
    let expected = (
        &json!({ "power": "2200 W" }),
        &json!({ "erp": "k-1" }),
        &json!({ "storage": 128, "is_new": true }),
        &json!(12),
    );
    assert_eq!(details, expected);
    assert_eq!((&product["description"], &product["on_sale"]), (&json!("1.7 l\n\"quiet\""), &json!(true)));
    assert_eq!(shop.read("product/1/imei/").await["imei"], "356938035643809");

    let copy = visitor.visit("/admin/products/new?copy=1").await.form(new);
    assert_eq!((copy.value("name"), copy.value("spec_key"), copy.value("imei")), ("Kettle <b>", "power", ""));
    shop.settle().await;
    let reader = Visitor::logged_in(&shop, Role::Reader).await;
    let page = reader.visit("/admin/products/1").await;
    for text in ["<dt>Specifications</dt>", "power: 2200 W", "<dt>Storage in GB</dt>", "The price after each"] {
        assert!(page.html.contains(text), "{text}: {}", page.html);
    }
    assert!(!page.html.contains("356938035643809"), "only editors see the IMEI: {}", page.html);
    let changes: Vec<_> = page.forms().into_iter().filter(|form| form.method == "post").collect();
    assert_eq!(changes.len(), 1, "the log-out: {changes:?}");
}

#[tokio::test]
async fn a_form_saves_what_was_changed_and_shows_what_others_changed() {
    let shop = TestShop::new().await;
    shop.product("Kettle", "24.90", 3).await;
    shop.send("PATCH", "product/1/", json!({ "specifications": { "power": 2200 }, "sku": "KET" }), &[]).await;
    let visitor = Visitor::logged_in(&shop, Role::Editor).await;
    let path = "/admin/products/1";
    let page = visitor.visit(path).await;
    let events = async || shop.read("product/1/history/").await.as_array().unwrap().len();
    let before = events().await;
    let same = visitor.follow(&visitor.submit(&page, path, &[]).await).await;
    assert!(same.html.contains("Nothing was different"), "{}", same.html);
    assert_eq!(events().await, before, "an unchanged form appends nothing");

    let refused = visitor.submit(&page, path, &[("spec_key", ""), ("phone.ram", "much"), ("weight_g", "x")]).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.html.contains("The value `2200` has no name"), "{}", refused.html);
    let refused = visitor.submit(&page, path, &[("phone.ram", "much"), ("weight_g", "x"), ("on_sale", "")]).await;
    assert!(refused.html.contains("id=\"phone.ram-error\""), "{}", refused.html);
    assert!(refused.html.contains("id=\"weight_g-error\""), "{}", refused.html);
    let kept = refused.form(path);
    assert_eq!((kept.value("phone.ram"), kept.value("weight_g"), kept.value("on_sale")), ("much", "x", ""));

    shop.send("PATCH", "product/1/", json!({ "price": "20.00", "specifications": { "power": 2000 } }), &[]).await;
    shop.settle().await;
    let stale = visitor.submit(&page, path, &[("price", "19.00"), ("spec_value", "2400")]).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    for text in ["changed in the meantime", "Stored now: 20.00", "Stored now: power: 2000"] {
        assert!(stale.html.contains(text), "{text}: {}", stale.html);
    }
    let saved = visitor.follow(&visitor.submit(&stale, path, &[]).await).await;
    assert!(saved.html.contains("The product was saved."), "{}", saved.html);
    let product = shop.read("product/1/").await;
    assert_eq!((&product["price"], &product["specifications"]), (&json!("19.00"), &json!({ "power": 2400 })));
    assert!(
        saved.html.contains("<th scope=\"row\">now</th><td class=\"number\">19.00\u{a0}EUR</td>"),
        "{}",
        saved.html
    );
}

#[tokio::test]
async fn stock_is_changed_and_a_product_is_withdrawn() {
    let shop = TestShop::new().await;
    shop.product("Kettle", "24.90", 3).await;
    let visitor = Visitor::logged_in(&shop, Role::Editor).await;
    let (path, adjust) = ("/admin/products/1", "/admin/products/1/stock/adjust");
    let mut page = visitor.visit(path).await;
    for (mode, units, on_hand) in [("add", "5", 8), ("take", "2", 6), ("count", "10", 10)] {
        let fields = [("mode", mode), ("units", units), ("reason", "delivery 4711")];
        page = visitor.follow(&visitor.submit(&page, adjust, &fields).await).await;
        assert_eq!(shop.read("product/1/").await["on_hand"], on_hand, "{mode}");
    }
    assert!(page.html.contains("delivery 4711") && page.html.contains("Stock corrected"), "{}", page.html);
    for (mode, units) in [("take", "11"), ("add", "many"), ("count", "")] {
        let refused = visitor.submit(&page, adjust, &[("mode", mode), ("units", units), ("reason", "x")]).await;
        assert!(refused.status.is_client_error(), "{mode}: {}", refused.html);
        assert!(refused.html.contains("role=\"alert\""), "{}", refused.html);
        let form = refused.form(adjust);
        assert_eq!((form.value("mode"), form.value("units"), form.value("reason")), (mode, units, "x"));
    }
    assert_eq!(shop.read("product/1/").await["on_hand"], 10);
    let movements = visitor.visit("/admin/stock-movements?product_id=1").await;
    assert_eq!(movements.html.matches("delivery 4711").count(), 3, "{}", movements.html);
    assert!(visitor.visit("/admin/stock-movements/csv?product_id=1").await.html.starts_with("position,"));

    let gone = visitor.submit(&page, "/admin/products/1/discontinue", &[]).await;
    let page = visitor.follow(&gone).await;
    assert!(page.html.contains(">discontinued</span>"), "{}", page.html);
    let back = visitor.follow(&visitor.submit(&page, "/admin/products/1/relist", &[]).await).await;
    assert!(back.html.contains(">on sale</span>"), "{}", back.html);
    shop.send("PATCH", "product/1/", json!({ "price": "20.00" }), &[]).await;
    shop.settle().await;
    let stale = visitor.submit(&back, "/admin/products/1/delete", &[]).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    assert!(stale.html.contains("so nothing was done"), "{}", stale.html);
    let deleted = visitor.follow(&visitor.submit(&stale, "/admin/products/1/delete", &[]).await).await;
    assert!(deleted.html.contains("The product was deleted."), "{}", deleted.html);
    assert_eq!(visitor.get(path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn images_are_uploaded_ordered_and_deleted_without_scripts() {
    let shop = TestShop::new().await;
    shop.product("Kettle", "24.90", 3).await;
    let visitor = Visitor::logged_in(&shop, Role::Editor).await;
    let (path, images, order) = ("/admin/products/1", "/admin/products/1/images", "/admin/products/1/images/order");
    let page = visitor.visit(path).await;
    let (red, blue) = (picture(40, 30, [200, 0, 0], ImageFormat::Png), picture(30, 40, [0, 0, 200], ImageFormat::Jpeg));
    let refused = visitor.upload(&page, images, &[&red, b"no picture"]).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(
        refused.html.contains("File 2 was refused") && refused.html.contains("1 before it were added"),
        "{}",
        refused.html
    );
    let page = visitor.follow(&visitor.upload(&refused, images, &[&blue]).await).await;
    assert!(page.html.contains("The image was added.") && page.html.contains("40 × 30"), "{}", page.html);
    assert_eq!(visitor.upload(&page, images, &[]).await.status, StatusCode::BAD_REQUEST);
    let ids = async || -> Vec<i64> {
        let images = shop.read("product/1/images/").await;
        images.as_array().unwrap().iter().map(|image| image["image_id"].as_i64().unwrap()).collect()
    };
    let before = ids().await;
    let (first, second) = (before[0].to_string(), before[1].to_string());
    let moved = visitor.submit(&page, order, &[("image_ids", &first), ("image_ids", &second), ("later", &first)]).await;
    let page = visitor.follow(&moved).await;
    assert_eq!(ids().await, [before[1], before[0]]);
    let stale = visitor.submit(&page, order, &[("image_ids", "1"), ("image_ids", "4711")]).await;
    assert!(stale.status.is_client_error() && stale.html.contains("role=\"alert\""), "{}", stale.html);
    let deleted = visitor.submit(&page, &format!("{images}/{first}/delete"), &[]).await;
    assert!(visitor.follow(&deleted).await.html.contains("The image was deleted."));
    assert_eq!(ids().await, [before[1]]);
}
