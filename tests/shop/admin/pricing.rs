//! Discounts, tax rates and shipping fees.

use axum::http::StatusCode;
use cartwright::domain::account::Role;
use serde_json::json;

use crate::support::TestShop;
use crate::support::visitor::Visitor;

#[tokio::test]
async fn a_discount_is_created_changed_and_ended() {
    let shop = TestShop::new().await;
    let visitor = Visitor::logged_in(&shop, Role::Editor).await;
    let list = visitor.visit("/admin/discounts").await;
    assert!(list.html.contains("There are no discounts yet."), "{}", list.html);
    let page = visitor.visit("/admin/new-discount").await;
    let typed = [
        ("code", "Spring-24"),
        ("kind", "percent"),
        ("value", "120"),
        ("until", "2099-01-01T12:30"),
        ("total_limit", "many"),
        ("minimum", "20"),
    ];
    let refused = visitor.submit(&page, "/admin/new-discount", &typed).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.html.contains("id=\"total_limit-error\""), "{}", refused.html);
    let form = refused.form("/admin/new-discount");
    assert_eq!((form.value("until"), form.value("total_limit")), ("2099-01-01T12:30", "many"));
    let created = visitor.submit(&refused, "/admin/new-discount", &[("value", "12.5"), ("total_limit", "5")]).await;
    assert_eq!(created.header("location"), "/admin/discounts/Spring-24");
    let page = visitor.follow(&created).await;
    for text in ["12.5\u{a0}%", "of at most 5", ">valid<", "1 Jan 2099, 12:30", "Discount created"] {
        assert!(page.html.contains(text), "{text}: {}", page.html);
    }

    let action = "/admin/discounts/Spring-24";
    // Both have opened the page; the API saves first.
    shop.send("PATCH", "discount/spring-24/", json!({ "total_limit": 9 }), &[]).await;
    let stale = visitor.submit(&page, action, &[("kind", "free_shipping"), ("value", "")]).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    assert!(stale.html.contains("Stored now: 9"), "{}", stale.html);
    let saved = visitor.submit(&stale, action, &[("until", "")]).await;
    let page = visitor.follow(&saved).await;
    assert!(page.html.contains("Free shipping") && page.html.contains("of at most 5"), "{}", page.html);
    assert!(page.html.contains("<del>") && page.html.contains("by you"), "{}", page.html);
    let ended = visitor.submit(&page, "/admin/discounts/Spring-24/end", &[]).await;
    let page = visitor.follow(&ended).await;
    assert!(page.html.contains(">ended<") && !page.html.contains(">Save<"), "{}", page.html);

    // The code in other letters is the same discount.
    assert!(visitor.visit("/admin/discounts/SPRING-24").await.html.contains("<h1>Spring-24</h1>"));
    assert!(visitor.visit("/admin/discounts").await.html.contains(">ended<"));
    assert!(visitor.visit("/admin/discounts.csv").await.html.contains("Spring-24"));
    for unknown in ["nonsense", "a%2Fb", "%3Cb%3E"] {
        assert_eq!(
            visitor.get(&format!("/admin/discounts/{unknown}")).await.status,
            StatusCode::NOT_FOUND,
            "{unknown}"
        );
    }
    let history = shop.read("discount/spring-24/history/?newest_first=true").await;
    assert_eq!(history[0]["after"], json!({ "ended": true }));
    assert_eq!(history[3]["after"]["kind"], "percent");
    assert_eq!(shop.get("discount/unknown/history/").await.problem(), "discount_not_found");
}

#[tokio::test]
async fn the_tables_of_prices_are_replaced_and_two_admins_are_warned() {
    let shop = TestShop::new().await;
    let category = shop.category("Tea & coffee").await;
    let admin = Visitor::logged_in(&shop, Role::Admin).await;
    assert_eq!(shop.read("pricing/history/").await, json!([]));
    let page = admin.visit("/admin/pricing").await;
    assert!(page.html.contains("orders have no tax") && page.html.contains("shipping is free"), "{}", page.html);

    let (taxes, fees) = ("/admin/pricing/taxes", "/admin/pricing/shipping");
    let page = admin.visit(taxes).await;
    let number = category.to_string();
    let typed = [
        ("inclusive", "true"),
        ("rates[0].percent", "19"),
        // Row 1 stays empty, so that row 2 is the second one.
        ("rates[2].category_id", number.as_str()),
        ("rates[2].country", "de"),
        ("rates[2].percent", "much"),
    ];
    let refused = admin.submit(&page, taxes, &typed).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.html.contains("id=\"rates[1].percent-error\""), "{}", refused.html);
    assert_eq!(refused.form(taxes).value("rates[1].percent"), "much");
    let saved = admin.submit(&refused, taxes, &[("rates[1].country", "DE"), ("rates[1].percent", "7")]).await;
    let page = admin.follow(&saved).await;
    for text in ["Prices include the tax.", "7&#160;%", "Tax rates changed", "other goods, other countries: 19"] {
        assert!(page.html.contains(text), "{text}: {}", page.html);
    }

    let (ours, theirs) = (admin.visit(fees).await, admin.visit(fees).await);
    let saved = admin.submit(&ours, fees, &[("fees[0].from", "0"), ("fees[0].fee", "4.90")]).await;
    assert!(admin.follow(&saved).await.html.contains("The shipping fees were saved."));
    let stale = admin.submit(&theirs, fees, &[("fees[0].from", "0"), ("fees[0].fee", "5.90")]).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    assert!(stale.html.contains("Stored now: 4.90"), "{}", stale.html);
    let saved = admin.submit(&stale, fees, &[]).await;
    let page = admin.follow(&saved).await;
    let removed = "<del>other countries, from 0.00\u{a0}EUR: 4.90\u{a0}EUR</del>";
    assert!(page.html.contains(removed) && page.html.contains(">you</a> (admin)"), "{}", page.html);
    assert_eq!(shop.read("pricing/shipping/").await["fees"][0]["fee"], "5.90");
    assert_eq!(shop.read("pricing/history/?newest_first=true&limit=1").await.as_array().unwrap().len(), 1);
    assert_eq!(shop.get("pricing/history/?limit=1001").await.status, StatusCode::BAD_REQUEST);

    // Others read the tables, and find no way to a form that the API refuses.
    for role in [Role::Reader, Role::Editor] {
        let visitor = Visitor::logged_in(&shop, role).await;
        let page = visitor.visit("/admin/pricing").await;
        assert!(page.html.contains("5.90") && !page.html.contains(taxes) && !page.html.contains(fees), "{}", page.html);
    }
    let reader = Visitor::logged_in(&shop, Role::Reader).await;
    let page = reader.visit("/admin/discounts").await;
    assert!(!page.html.contains("/admin/new-discount"), "{}", page.html);
}
