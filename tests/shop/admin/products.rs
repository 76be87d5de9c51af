//! The list of products: the example of filters, pages, cells and bulk actions.

use axum::http::StatusCode;
use cartwright::domain::account::Role;
use serde_json::json;

use crate::support::TestShop;
use crate::support::visitor::Visitor;

#[tokio::test]
async fn the_list_filters_sorts_and_pages() {
    let shop = TestShop::new().await;
    shop.product("Kettle", "24.90", 3).await;
    for number in 0..120 {
        shop.product(&format!("Cup {number:03}"), "4.00", 20).await;
    }
    let patch = json!({ "brand": "Bosch", "sku": "KET-1", "on_sale": false });
    shop.send("PATCH", "product/1/", patch, &[]).await;
    shop.settle().await;
    let visitor = Visitor::logged_in(&shop, Role::Reader).await;
    let list = visitor.visit("/admin/products?search=kettle&on_sale=false&sort=price_asc").await;
    for text in ["Kettle", "24.90\u{a0}EUR", "KET-1", "Bosch", "not on sale", "aria-sort=\"ascending\""] {
        assert!(list.html.contains(text), "{text}: {}", list.html);
    }
    assert!(!list.html.contains("Cup 0"), "{}", list.html);
    assert_eq!(list.forms()[1].value("search"), "kettle", "the filters stay in their fields");

    let first = visitor.visit("/admin/products?search=cup").await;
    assert_eq!(first.html.matches("data-open>Cup").count(), 100);
    let next = first.links().into_iter().find(|link| link.contains("cursor=")).unwrap();
    assert!(next.starts_with("?search=cup&cursor="), "{next}");
    let second = visitor.visit(&format!("/admin/products{next}")).await;
    assert_eq!(second.html.matches("data-open>Cup").count(), 20);
    assert!(second.html.contains("rel=\"prev\"") && !second.html.contains("rel=\"next\""), "{}", second.html);
    assert!(second.links().contains(&"?search=cup".to_owned()), "{:?}", second.links());

    let low = visitor.visit("/admin/products/low-stock").await;
    assert!(low.html.contains("Kettle") && !low.html.contains("Cup 0"), "{}", low.html);
    assert!(visitor.visit("/admin/products/low-stock/csv").await.html.contains("Kettle"));

    let none = visitor.visit("/admin/products?search=nothing").await;
    assert!(none.html.contains("Nothing matches the filters."), "{}", none.html);
    let refused = visitor.visit("/admin/products?min_price=cheap").await;
    assert!(refused.html.contains("role=\"alert\">min_price"), "{}", refused.html);
    assert_eq!(refused.forms()[1].value("min_price"), "cheap");
    let csv = visitor.visit("/admin/products/csv?search=cup").await;
    assert_eq!(csv.html.lines().count(), 121, "the whole list, not a page");
    let csv = visitor.get("/admin/products/csv?min_price=cheap").await;
    assert_eq!(csv.status, StatusCode::BAD_REQUEST);
    assert!(csv.header("content-type").starts_with("text/html"));
}

#[tokio::test]
async fn price_and_stock_are_edited_in_the_list() {
    let shop = TestShop::new().await;
    let product = shop.product("Kettle", "24.90", 3).await;
    let visitor = Visitor::logged_in(&shop, Role::Editor).await;
    let (price, stock) = (format!("/admin/products/{product}/price"), format!("/admin/products/{product}/stock"));
    let list = visitor.visit("/admin/products").await;
    assert!(list.html.contains(&format!("hx-get=\"{price}\"")), "{}", list.html);

    let cell = visitor.get_part(&price).await;
    assert!(cell.html.starts_with("<td") && !cell.html.contains("<html"), "{}", cell.html);
    let refused = visitor.submit_part(&cell, &price, &[("price", "cheap")]).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.html.starts_with("<td") && refused.html.contains("id=\"price-1-error\""), "{}", refused.html);
    assert_eq!(refused.form(&price).value("price"), "cheap");
    let saved = visitor.submit_part(&refused, &price, &[("price", "19.90")]).await;
    assert_eq!(saved.status, StatusCode::OK, "{}", saved.html);
    assert!(saved.html.contains("19.90\u{a0}EUR") && saved.html.contains("saved"), "{}", saved.html);

    // Without scripts the same addresses are pages.
    let page = visitor.visit(&price).await;
    let done = visitor.submit(&page, &price, &[("price", "18.50")]).await;
    assert!(visitor.follow(&done).await.html.contains("Kettle costs 18.50\u{a0}EUR now."));

    // Another change in between is shown, and not overwritten.
    let cell = visitor.get_part(&price).await;
    shop.send("PATCH", &format!("product/{product}/"), json!({ "price": "17.00" }), &[]).await;
    let stale = visitor.submit_part(&cell, &price, &[("price", "16.00")]).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED, "{}", stale.html);
    assert!(stale.html.contains("Stored now: 17.00"), "{}", stale.html);
    assert_eq!(stale.form(&price).value("price"), "16.00");
    assert_eq!(shop.read(&format!("product/{product}/")).await["price"], "17.00");

    let cell = visitor.get_part(&stock).await;
    assert_eq!(cell.form(&stock).value("count"), "3");
    let refused = visitor.submit_part(&cell, &stock, &[("count", "many")]).await;
    assert!(refused.html.contains("id=\"stock-1-error\""), "{}", refused.html);
    let saved = visitor.submit_part(&cell, &stock, &[("count", "12")]).await;
    assert!(saved.html.contains(">12</a>"), "{}", saved.html);
    assert_eq!(shop.read(&format!("product/{product}/")).await["on_hand"], 12);
    let cancelled = visitor.get_part(&format!("{stock}?cancel=1")).await;
    assert!(cancelled.html.contains(">12</a>") && !cancelled.html.contains("<form"), "{}", cancelled.html);
}

#[tokio::test]
async fn chosen_products_are_changed_after_a_preview() {
    let shop = TestShop::new().await;
    let (kettle, pan) = (shop.product("Kettle", "10.00", 3).await, shop.product("Pan & lid", "20.00", 5).await);
    let visitor = Visitor::logged_in(&shop, Role::Editor).await;
    let list = visitor.visit("/admin/products?sort=newest").await;
    let (first, second) = (kettle.to_string(), pan.to_string());
    let choose = |action: &'static str, units: &'static str, percent: &'static str| {
        let form = list.form("/admin/products/bulk");
        let keep: Vec<_> =
            form.fields.into_iter().filter(|(name, _)| !["units", "percent"].contains(&name.as_str())).collect();
        let mut fields = keep;
        let more =
            [("ids", first.as_str()), ("ids", &second), ("action", action), ("units", units), ("percent", percent)];
        fields.extend(more.map(|(name, value)| (name.to_owned(), value.to_owned())));
        fields
    };
    let send = async |path: &str, fields: Vec<(String, String)>| {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        visitor.post(path, &fields).await
    };
    let preview = send("/admin/products/bulk", choose("reprice", "", "-10")).await;
    assert_eq!(preview.status, StatusCode::OK, "{}", preview.html);
    for text in [
        "This will change 2 of 2 products",
        "Kettle",
        "Pan &#38; lid",
        "10.00\u{a0}EUR",
        "9.00\u{a0}EUR",
        "18.00\u{a0}EUR",
    ] {
        assert!(preview.html.contains(text), "{text}: {}", preview.html);
    }
    assert_eq!(shop.read(&format!("product/{kettle}/")).await["price"], "10.00", "a preview changes nothing");
    let applied = send("/admin/products/bulk/apply", preview.form("/admin/products/bulk/apply").fields).await;
    assert_eq!(applied.header("location"), "/admin/products?sort=newest");
    assert!(visitor.follow(&applied).await.html.contains("2 products changed."));
    // A second click has no second effect.
    send("/admin/products/bulk/apply", preview.form("/admin/products/bulk/apply").fields).await;
    assert_eq!(shop.read(&format!("product/{kettle}/")).await["price"], "9.00");

    let preview = send("/admin/products/bulk", choose("receive", "7", "")).await;
    assert!(preview.html.contains(">3</td>") && preview.html.contains(">10</td>"), "{}", preview.html);
    send("/admin/products/bulk/apply", preview.form("/admin/products/bulk/apply").fields).await;
    assert_eq!(shop.read(&format!("product/{pan}/")).await["on_hand"], 12);

    let preview = send("/admin/products/bulk", choose("off_sale", "", "")).await;
    send("/admin/products/bulk/apply", preview.form("/admin/products/bulk/apply").fields).await;
    assert_eq!(shop.read(&format!("product/{pan}/")).await["on_sale"], false);

    // Bad input is named, and what cannot be changed is shown with its reason.
    let refused = send("/admin/products/bulk", choose("reprice", "", "much")).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.html.contains("Percent"), "{}", refused.html);
    shop.send("DELETE", &format!("product/{kettle}/"), json!(null), &[]).await;
    let preview = send("/admin/products/bulk", choose("receive", "1", "")).await;
    assert!(
        preview.html.contains("This will change 1 of 2 products") && preview.html.contains("class=\"error\""),
        "{}",
        preview.html
    );
    let applied = send("/admin/products/bulk/apply", preview.form("/admin/products/bulk/apply").fields).await;
    assert!(applied.html.contains("1 of 2 products were changed"), "{}", applied.html);
    let none = visitor
        .post(
            "/admin/products/bulk",
            &[("csrf", list.form("/admin/products/bulk").value("csrf")), ("action", "reprice")],
        )
        .await;
    assert!(none.html.contains("choose at least one product"), "{}", none.html);
}
