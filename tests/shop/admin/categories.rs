//! Categories: the example of lists of few rows, of detail pages and of histories.

use axum::http::StatusCode;
use cartwright::domain::account::Role;

use crate::support::TestShop;
use crate::support::visitor::{Visitor, unescape};

#[tokio::test]
async fn a_category_is_created_renamed_moved_and_deleted() {
    let shop = TestShop::new().await;
    let visitor = Visitor::logged_in(&shop, Role::Editor).await;
    let page = visitor.visit("/admin/categories").await;
    assert!(page.html.contains("There are no categories yet."), "{}", page.html);
    let made = visitor.submit(&page, "/admin/categories", &[("category_name", "Kitchen")]).await;
    assert_eq!(made.header("location"), "/admin/categories/1");
    let detail = visitor.follow(&made).await;
    assert!(detail.html.contains("The category was created.") && detail.html.contains("<h1>Kitchen</h1>"));
    // The same form again has no second effect.
    let again = visitor.submit(&page, "/admin/categories", &[("category_name", "Kitchen")]).await;
    assert_eq!(again.header("location"), "/admin/categories/1");

    let page = visitor.visit("/admin/categories").await;
    visitor.submit(&page, "/admin/categories", &[("category_name", "Kettles"), ("parent_id", "1")]).await;
    let list = visitor.visit("/admin/categories").await;
    assert!(list.html.contains("class=\"depth-1\"><a href=\"/admin/categories/2\""), "{}", list.html);
    let child = visitor.visit("/admin/categories/2").await;
    assert_eq!(child.form("/admin/categories/2").value("parent_id"), "1");
    let moved =
        visitor.submit(&child, "/admin/categories/2", &[("category_name", "Tea kettles"), ("parent_id", "")]).await;
    let child = visitor.follow(&moved).await;
    // The history names both values and the member.
    for text in ["<del>Kettles</del>", "<ins>Tea kettles</ins>", "by you", "(editor)", "Category created"] {
        assert!(child.html.contains(text), "{text}: {}", child.html);
    }
    let renamed = child.html.find("Tea kettles</ins>").unwrap();
    assert!(renamed < child.html.find("Category created").unwrap(), "the latest change comes first");

    // A rule that refuses is explained where it happened.
    shop.product("Pan", "9.00", 1).await;
    let page = visitor.visit("/admin/categories/1").await;
    assert!(page.html.contains("data-confirm=\"Delete the category Kitchen?\""), "{}", page.html);
    let refused = visitor.submit(&page, "/admin/categories/1/delete", &[]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.html.contains("role=\"alert\"") && refused.html.contains("<h1>Kitchen</h1>"), "{}", refused.html);
    let page = visitor.visit("/admin/categories/2").await;
    let deleted = visitor.submit(&page, "/admin/categories/2/delete", &[]).await;
    assert!(visitor.follow(&deleted).await.html.contains("The category was deleted."));
    assert_eq!(visitor.get("/admin/categories/2").await.status, StatusCode::NOT_FOUND);
    let csv = visitor.visit("/admin/categories/csv").await;
    assert!(csv.header("content-type").starts_with("text/csv") && csv.html.contains("Kitchen"), "{}", csv.html);
    assert_eq!(csv.header("content-disposition"), "attachment; filename=\"categories.csv\"");
}

#[tokio::test]
async fn nothing_that_was_typed_is_lost_and_two_editors_are_warned() {
    let shop = TestShop::new().await;
    shop.category("Kitchen").await;
    let long = "x".repeat(300);
    let (first, second) = (Visitor::logged_in(&shop, Role::Editor).await, Visitor::logged_in(&shop, Role::Admin).await);
    let page = first.visit("/admin/categories/1").await;
    for (name, status) in [("", StatusCode::BAD_REQUEST), (long.as_str(), StatusCode::BAD_REQUEST)] {
        let refused = first.submit(&page, "/admin/categories/1", &[("category_name", name), ("parent_id", "1")]).await;
        assert_eq!(refused.status, status, "{}", refused.html);
        let form = refused.form("/admin/categories/1");
        assert_eq!(
            (form.value("category_name"), form.value("etag")),
            (name, page.form("/admin/categories/1").value("etag"))
        );
        assert!(refused.html.contains("id=\"category_name-error\""), "{}", refused.html);
        assert!(refused.html.contains("Correct the marked fields."), "{}", refused.html);
    }
    let listed = first.visit("/admin/categories").await;
    let refused = first.submit(&listed, "/admin/categories", &[("category_name", "kitchen"), ("parent_id", "1")]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let form = refused.form("/admin/categories");
    assert_eq!((form.value("category_name"), form.value("parent_id")), ("kitchen", "1"));

    // Both have opened the page; the second saves first.
    let theirs = second.visit("/admin/categories/1").await;
    second.submit(&theirs, "/admin/categories/1", &[("category_name", "Cuisine")]).await;
    shop.settle().await;
    let stale = first.submit(&page, "/admin/categories/1", &[("category_name", "Galley")]).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(stale.form("/admin/categories/1").value("category_name"), "Galley");
    assert!(stale.html.contains("Stored now: Cuisine"), "{}", stale.html);
    assert!(stale.html.contains("changed in the meantime"), "{}", stale.html);
    // Refused for another reason, an old page keeps its tag: it does not overwrite unseen.
    let refused = first.submit(&page, "/admin/categories/1", &[("category_name", "")]).await;
    assert_eq!(refused.form("/admin/categories/1").value("etag"), page.form("/admin/categories/1").value("etag"));
    let again = first.submit(&refused, "/admin/categories/1", &[("category_name", "Galley")]).await;
    assert_eq!(again.status, StatusCode::PRECONDITION_FAILED, "{}", again.html);
    // Saving again overwrites it knowingly.
    let saved = first.submit(&stale, "/admin/categories/1", &[]).await;
    assert!(first.follow(&saved).await.html.contains("<h1>Galley</h1>"));
    // A button of a stale page deletes nothing.
    let refused = second.submit(&theirs, "/admin/categories/1/delete", &[]).await;
    assert_eq!(refused.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(second.get("/admin/categories/1").await.status, StatusCode::OK);
}

#[tokio::test]
async fn hostile_names_are_text() {
    let shop = TestShop::new().await;
    let hostile = "</title><script>alert(1)</script>\" onfocus=\"x {{ 7*7 }} 'é";
    let category = shop.category(hostile).await;
    let visitor = Visitor::logged_in(&shop, Role::Admin).await;
    for path in ["/admin/categories".to_owned(), format!("/admin/categories/{category}"), "/admin/products".to_owned()]
    {
        let page = visitor.visit(&path).await;
        assert!(!page.html.contains("<script>alert") && !page.html.contains("\" onfocus=\""), "{path}: {}", page.html);
        assert!(unescape(&page.html).contains(hostile), "{path}: {}", page.html);
    }
    let search = "/admin/products?search=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&sort=%3Cb%3E&brand=%00";
    let page = visitor.get(search).await;
    assert!(!page.html.contains("<script>alert") && !page.html.contains("<b>"), "{}", page.html);
    assert!(!page.status.is_server_error());
}
