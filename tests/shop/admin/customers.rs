//! Customers and carts: lists, the file of a customer, addresses, notes, erasure.

use axum::http::StatusCode;
use cartwright::domain::account::Role;
use serde_json::{Value, json};

use crate::support::TestShop;
use crate::support::visitor::{Visitor, unescape};

const HOSTILE: &str = "</title><script>alert(1)</script>\" onfocus=\"x";

async fn register(shop: &TestShop, first: &str, last: &str, email: &str) -> i64 {
    let body = json!({ "first_name": first, "last_name": last, "email": email });
    shop.done("customers/", body).await["customer_id"].as_i64().unwrap()
}

#[tokio::test]
async fn a_customer_is_created_corrected_and_found() {
    let shop = TestShop::new().await;
    let visitor = Visitor::logged_in(&shop, Role::Editor).await;
    let list = visitor.visit("/admin/customers").await;
    assert!(list.html.contains("There are no customers yet."), "{}", list.html);

    // What was typed stays after a refusal, with the reason at the field.
    let page = visitor.visit("/admin/customers/new").await;
    let typed = [("first_name", "Jo"), ("last_name", HOSTILE), ("email", "nonsense"), ("metadata", "since: 2019")];
    let refused = visitor.submit(&page, "/admin/customers/new", &typed).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.html.contains("id=\"email-error\""), "{}", refused.html);
    let form = refused.form("/admin/customers/new");
    assert_eq!((form.value("last_name"), form.value("metadata").trim()), (HOSTILE, "since: 2019"));
    let created = visitor.submit(&refused, "/admin/customers/new", &[("email", "jo@example.com")]).await;
    assert_eq!(created.header("location"), "/admin/customers/1");
    let page = visitor.follow(&created).await;
    assert!(page.html.contains("The customer was created.") && page.html.contains("since: 2019"), "{}", page.html);
    assert!(!page.html.contains("<script>alert") && unescape(&page.html).contains(HOSTILE), "{}", page.html);
    for text in ["The customer has not ordered yet.", "The cart is empty.", "The wishlist is empty.", "No address is"] {
        assert!(page.html.contains(text), "{text}: {}", page.html);
    }

    // Each form saves its own part; the other one is then stale.
    let saved = visitor.submit(&page, "/admin/customers/1", &[("last_name", "Miller")]).await;
    assert!(visitor.follow(&saved).await.html.contains("<h1>Jo Miller</h1>"));
    let stale = visitor.submit(&page, "/admin/customers/1/notes", &[("metadata", "since: 2020")]).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(stale.form("/admin/customers/1/notes").value("metadata").trim(), "since: 2020");
    let saved = visitor.submit(&stale, "/admin/customers/1/notes", &[]).await;
    let page = visitor.follow(&saved).await;
    assert!(page.html.contains("since: 2020") && page.html.contains("by you"), "{}", page.html);
    let bad = visitor.submit(&page, "/admin/customers/1/notes", &[("metadata", "nonsense")]).await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
    assert!(bad.html.contains("in line 1"), "{}", bad.html);

    // A number leads to its customer; words, a whole address and days filter.
    register(&shop, "Ada", "Byron", "ada@example.com").await;
    assert_eq!(visitor.get("/admin/customers?search=2").await.header("location"), "/admin/customers/2");
    for (query, found) in [
        ("search=mill", true),
        ("search=byron", false),
        ("search=99", false),
        ("email=JO@example.com", true),
        ("registered_to=2000-01-01", false),
        ("registered_from=2000-01-01", true),
    ] {
        let page = visitor.visit(&format!("/admin/customers?{query}")).await;
        assert_eq!(page.html.contains("jo@example.com"), found, "{query}: {}", page.html);
    }
    let refused = visitor.visit("/admin/customers?registered_from=nonsense&email=%3Cb%3E").await;
    assert!(refused.html.contains("role=\"alert\"") && !refused.html.contains("<b>"), "{}", refused.html);
    let csv = visitor.visit("/admin/customers/csv?search=ada").await;
    assert!(csv.html.contains("ada@example.com") && !csv.html.contains("jo@example.com"), "{}", csv.html);
    assert!(visitor.visit("/admin/statistics/customers").await.html.contains("Jo Miller"));
    assert_eq!(visitor.get("/admin/customers/4711").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn addresses_carts_and_exports_belong_to_their_customer() {
    let shop = TestShop::new().await;
    let customer = register(&shop, "Jo", "Miller", "jo@example.com").await;
    let product = shop.product("Kettle", "24.90", 9).await;
    shop.add(customer, product, 2).await;
    let visitor = Visitor::logged_in(&shop, Role::Editor).await;
    let page = visitor.visit("/admin/customers/1/addresses/new").await;
    let action = "/admin/customers/1/addresses/new";
    assert_eq!(page.form(action).value("name"), "Jo Miller");
    let typed = [("line1", "12 Mill Lane"), ("city", "Milltown"), ("country", "GB"), ("default_shipping", "true")];
    let refused = visitor.submit(&page, action, &typed).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.html.contains("id=\"postal_code-error\""), "{}", refused.html);
    let added = visitor.submit(&refused, action, &[("postal_code", "AB1 2CD")]).await;
    let page = visitor.follow(&added).await;
    for text in ["12 Mill Lane", "AB1 2CD Milltown", "for shipping", "49.80", "/admin/carts/1"] {
        assert!(page.html.contains(text), "{text}: {}", page.html);
    }
    let address = "/admin/customers/1/addresses/1";
    let (first, edit) = (visitor.visit(address).await, visitor.visit(address).await);
    let saved = visitor.submit(&first, address, &[("line1", "14 Mill Lane"), ("line2", "Back door")]).await;
    assert!(visitor.follow(&saved).await.html.contains("14 Mill Lane<br>Back door"));
    let stale = visitor.submit(&edit, address, &[("line1", "15 Mill Lane")]).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    assert!(stale.html.contains("Stored now: 14 Mill Lane"), "{}", stale.html);
    let edit = visitor.visit(address).await;
    let deleted = visitor.submit(&edit, "/admin/customers/1/addresses/1/delete", &[]).await;
    assert!(visitor.follow(&deleted).await.html.contains("No address is saved."));
    assert_eq!(visitor.get(address).await.status, StatusCode::NOT_FOUND);

    let carts = visitor.visit("/admin/carts").await;
    assert!(carts.html.contains("/admin/carts/1") && carts.html.contains("49.80"), "{}", carts.html);
    let abandoned = visitor.visit("/admin/carts?days=1").await;
    assert!(abandoned.html.contains("Nothing matches the filters."), "{}", abandoned.html);
    assert!(visitor.visit("/admin/carts/csv").await.html.contains("49.80"));
    let cart = visitor.visit("/admin/carts/1").await;
    assert!(cart.html.contains("Cart of customer 1") && cart.html.contains("Kettle"), "{}", cart.html);
    // A guest's cart is found by its id in the log, which is not its token.
    let token = shop.done("carts/", Value::Null).await["cart_token"].as_str().unwrap().to_owned();
    shop.done(&format!("carts/{token}/items/"), json!({ "product_id": product, "quantity": 1 })).await;
    let carts = visitor.visit("/admin/carts").await;
    let links = carts.links();
    let guest = links.iter().find(|link| link.starts_with("/admin/carts/") && link.len() > 40).unwrap();
    assert!(!guest.contains(&token), "{guest}");
    assert!(visitor.visit(guest).await.html.contains("Cart of a guest"));
    for unknown in [token.as_str(), "nonsense", "2", "1%2F..%2Fx"] {
        assert_eq!(visitor.get(&format!("/admin/carts/{unknown}")).await.status, StatusCode::NOT_FOUND, "{unknown}");
    }
    assert_eq!(shop.get(&format!("cart/{token}/")).await.problem(), "cart_not_found");

    let export = visitor.visit("/admin/customers/1/export").await;
    assert_eq!(export.header("content-disposition"), "attachment; filename=\"customer-1.json\"");
    let file: Value = serde_json::from_str(&export.html).unwrap();
    assert_eq!((&file["email"], &file["complete"]), (&json!("jo@example.com"), &json!(true)));

    // A reader reads all of it, and finds no form.
    let reader = Visitor::logged_in(&shop, Role::Reader).await;
    for path in
        ["/admin/customers", "/admin/customers/1", "/admin/customers/erasures", "/admin/carts", "/admin/carts/1"]
    {
        let page = reader.visit(path).await;
        let forms: Vec<_> = page.forms().into_iter().filter(|form| form.method == "post").collect();
        assert_eq!(forms.len(), 1, "{path}: {forms:?}");
        assert!(!page.html.contains("/export\"") && !page.html.contains("/erase\""), "{path}");
    }
    assert_eq!(reader.get("/admin/customers/1/export").await.status, StatusCode::FORBIDDEN);
    assert_eq!(reader.get("/admin/customers/1/erase").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_erasure_names_the_open_orders_waits_for_them_and_can_be_withdrawn() {
    let shop = TestShop::new().await;
    let customer = register(&shop, "Jo", "Miller", "jo@example.com").await;
    let product = shop.product("Kettle", "24.90", 9).await;
    shop.add(customer, product, 2).await;
    let order = shop.check_out(customer).await.body["order_id"].as_i64().unwrap();
    let visitor = Visitor::logged_in(&shop, Role::Editor).await;
    let page = visitor.visit("/admin/customers/1").await;
    assert!(page.html.contains("49.80") && page.html.contains(&format!("/admin/orders/{order}")), "{}", page.html);

    let action = "/admin/customers/1/erase";
    let page = visitor.visit(action).await;
    for text in ["cannot be undone", "Erase when the orders are closed", &format!("/admin/orders/{order}")] {
        assert!(page.html.contains(text), "{text}: {}", page.html);
    }
    // Without the choice to wait, the order refuses it.
    let refused = visitor.submit(&page, action, &[("when", "")]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let waits = visitor.submit(&page, action, &[]).await;
    let page = visitor.follow(&waits).await;
    assert!(page.html.contains("The erasure waits until"), "{}", page.html);
    let waiting = visitor.visit("/admin/customers/erasures").await;
    assert!(waiting.html.contains("Customer 1"), "{}", waiting.html);
    assert!(visitor.visit("/admin/customers").await.html.contains("erasure waits"));
    let kept = visitor.submit(&waiting, "/admin/customers/1/keep", &[]).await;
    let page = visitor.follow(&kept).await;
    assert!(page.html.contains("The erasure was withdrawn.") && !page.html.contains("will be erased"), "{}", page.html);
    assert!(visitor.visit("/admin/customers/erasures").await.html.contains("No erasure waits"));

    shop.done(&format!("order/{order}/cancel/"), Value::Null).await;
    let page = visitor.visit(action).await;
    assert!(page.html.contains("The customer has no open order.") && page.html.contains("Erase now"), "{}", page.html);
    let erased = visitor.submit(&page, action, &[]).await;
    assert_eq!(erased.header("location"), "/admin/customers");
    assert!(visitor.follow(&erased).await.html.contains("was erased."));
    assert_eq!(visitor.get("/admin/customers/1").await.status, StatusCode::NOT_FOUND);
    assert!(visitor.visit("/admin/statistics/customers").await.html.contains("Erased customer"));
}
