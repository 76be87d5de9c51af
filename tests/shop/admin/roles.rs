//! Roles: no page shows a form or a link that the API would refuse.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use cartwright::domain::account::Role;

use crate::support::TestShop;
use crate::support::visitor::Visitor;

/// An address without its days: the same page of other days shows nothing else.
fn without_days(path: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let is_day = |pair: &&str| ["from=", "to="].iter().any(|name| pair.starts_with(name));
    let kept: Vec<_> = query.split('&').filter(|pair| !is_day(pair)).collect();
    format!("{path}?{}", kept.join("&"))
}

/// Follows every link and sends every form that a visitor finds; returns the pages and the forms.
async fn walk(visitor: &Visitor<'_>) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut pages, mut forms) = (BTreeSet::new(), BTreeSet::new());
    let mut open = vec!["/admin/".to_owned()];
    let (mut found, mut walked) = (Vec::new(), BTreeSet::new());
    while let Some(path) = open.pop() {
        let path = path.split('#').next().unwrap().to_owned();
        if path.is_empty() || !path.starts_with('/') || !walked.insert(without_days(&path)) {
            continue;
        }
        pages.insert(path.clone());
        let page = visitor.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{} at {path}: {}", visitor.email, page.html);
        open.extend(page.links().into_iter().filter(|link| link.starts_with("/admin/")));
        for form in page.forms().into_iter().filter(|form| form.method == "post") {
            if forms.insert(form.action.clone()) {
                found.push(form);
            }
        }
    }
    // What deletes comes last, and the log-out after it.
    found.sort_by_key(|form| (form.action.contains("log-out"), form.action.contains("delete")));
    for form in found {
        let headers = [("sec-fetch-site", "same-origin")];
        let sent = visitor.send("POST", &form.action, Some(form.encoded()), &headers).await;
        assert_ne!(sent.status, StatusCode::FORBIDDEN, "{} is refused {}: {}", visitor.email, form.action, sent.html);
        assert!(!sent.status.is_server_error(), "{}: {}", form.action, sent.html);
    }
    (pages, forms)
}

#[tokio::test]
async fn no_role_sees_what_the_api_would_refuse() {
    let mut seen = Vec::new();
    for role in [Role::Reader, Role::Editor, Role::Admin] {
        let shop = TestShop::new().await;
        shop.product("Kettle", "24.90", 3).await;
        shop.category("Garden").await;
        let visitor = Visitor::logged_in(&shop, role).await;
        seen.push(walk(&visitor).await);
    }
    let [(reader_pages, reader_forms), (_, editor_forms), (admin_pages, admin_forms)] = &seen[..] else { panic!() };
    assert!(
        reader_pages.contains("/admin/products") && reader_pages.contains("/admin/categories/1"),
        "{reader_pages:?}"
    );
    let own = ["/admin/account/password", "/admin/keys", "/admin/log-out"];
    assert_eq!(reader_forms.iter().collect::<Vec<_>>(), own, "a reader changes nothing but what is their own");
    for form in ["/admin/categories", "/admin/categories/1", "/admin/categories/1/delete", "/admin/products/bulk"] {
        assert!(editor_forms.contains(form), "{form}: {editor_forms:?}");
    }
    assert!(editor_forms.is_subset(admin_forms) && reader_pages.is_subset(admin_pages));
}

#[tokio::test]
async fn a_reader_who_sends_a_form_all_the_same_is_refused_politely() {
    let shop = TestShop::new().await;
    let category = shop.category("Garden").await;
    let visitor = Visitor::logged_in(&shop, Role::Reader).await;
    let page = visitor.visit("/admin/categories").await;
    let token = page.form("/admin/log-out").value("csrf").to_owned();
    let refused = visitor.post(&format!("/admin/categories/{category}/delete"), &[("csrf", &token)]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    for text in ["Not allowed for your role", "Ask an admin", "<nav aria-label=\"Pages\">"] {
        assert!(refused.html.contains(text), "{text}: {}", refused.html);
    }
    assert_eq!(shop.read("categories/").await[0]["category_name"], "Garden");
    let customer = shop.customer("Ada").await;
    let address = format!("/admin/customers/{customer}/addresses/new");
    for form in [
        "/admin/products/new",
        "/admin/customers/new",
        "/admin/new-discount",
        "/admin/pricing/taxes",
        "/admin/pricing/shipping",
        address.as_str(),
    ] {
        assert_eq!(visitor.get(form).await.status, StatusCode::FORBIDDEN, "{form}");
    }
    let fields = [("csrf", token.as_str()), ("ids", "1")];
    assert_eq!(visitor.post("/admin/reactions/drop-preview", &fields).await.status, StatusCode::FORBIDDEN);
}
