//! Families: the list, the combinations of a family, and its members.

use axum::http::StatusCode;
use cartwright::domain::account::Role;

use crate::support::TestShop;
use crate::support::visitor::Visitor;

#[tokio::test]
async fn a_family_is_created_filled_reordered_and_deleted() {
    let shop = TestShop::new().await;
    let (small, large) = (shop.product("Phone 64", "199.00", 3).await, shop.product("Phone <128>", "249.00", 0).await);
    let visitor = Visitor::logged_in(&shop, Role::Editor).await;
    let list = visitor.visit("/admin/families").await;
    assert!(list.html.contains("There are no families yet."), "{}", list.html);
    let refused = visitor.submit(&list, "/admin/families", &[("name", " "), ("options", "storage\r\ncolor\r\n")]).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert_eq!(refused.form("/admin/families").value("options"), "storage\r\ncolor\r\n");
    let created = visitor.submit(&refused, "/admin/families", &[("name", "Phone X")]).await;
    let family = visitor.follow(&created).await;
    assert!(family.html.contains("The family was created. Add its products below."), "{}", family.html);
    let path = family.path.clone();
    let (add, remove, delete) = (format!("{path}/add"), format!("{path}/remove"), format!("{path}/delete"));

    let refused = visitor.submit(&family, &add, &[("product_id", "4711"), ("options.storage", "64 GB")]).await;
    assert!(
        refused.html.contains("Is the number of no product") || refused.html.contains("options"),
        "{}",
        refused.html
    );
    assert_eq!(refused.form(&add).value("options.storage"), "64 GB", "what was typed is kept");
    let (small, large) = (small.to_string(), large.to_string());
    let options = |product: &str, storage: &str, color: &str| {
        [
            ("product_id", product.to_owned()),
            ("options.storage", storage.to_owned()),
            ("options.color", color.to_owned()),
        ]
    };
    let fields = |fields: &[(&'static str, String); 3]| fields.clone();
    let send = async |page: &_, chosen: [(&'static str, String); 3]| {
        let chosen = fields(&chosen);
        let pairs: Vec<_> = chosen.iter().map(|(name, value)| (*name, value.as_str())).collect();
        visitor.submit(page, &add, &pairs).await
    };
    let family = visitor.follow(&send(&refused, options(&small, "64 GB", "Black")).await).await;
    let taken = send(&family, options(&large, "64 gb", "black")).await;
    assert_eq!(taken.status, StatusCode::CONFLICT, "{}", taken.html);
    assert!(taken.html.contains("role=\"alert\""), "{}", taken.html);
    let family = visitor.follow(&send(&taken, options(&large, "128 GB", "Red")).await).await;
    for text in [
        "Phone &#60;128&#62;",
        "199.00\u{a0}EUR – 249.00\u{a0}EUR",
        "out of stock",
        "Without a product: 64 GB, Red · 128 GB, Black.",
        "<option value=\"128 GB\">",
    ] {
        assert!(family.html.contains(text), "{text}: {}", family.html);
    }
    let list = visitor.visit("/admin/families").await;
    assert!(list.html.contains("storage, color") && list.links().contains(&path), "{}", list.html);

    let refused = visitor.submit(&family, &path, &[("options", "storage")]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.html);
    assert_eq!(refused.form(&path).value("options"), "storage");
    let saved = visitor.submit(&refused, &path, &[("options", "color\r\nstorage"), ("name", "Phone Y")]).await;
    let family = visitor.follow(&saved).await;
    assert!(family.html.contains("<th scope=\"col\">color</th><th scope=\"col\">storage</th>"), "{}", family.html);
    let refused = visitor.submit(&family, &delete, &[]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.html.contains("role=\"alert\""), "{}", refused.html);
    for product in [&small, &large] {
        let page = visitor.visit(&path).await;
        visitor.follow(&visitor.submit(&page, &remove, &[("product_id", product)]).await).await;
    }
    let page = visitor.visit(&path).await;
    let deleted = visitor.follow(&visitor.submit(&page, &delete, &[]).await).await;
    assert!(deleted.html.contains("The family was deleted."), "{}", deleted.html);
    assert_eq!(visitor.get(&path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_product_is_put_into_a_family_from_its_own_page() {
    let shop = TestShop::new().await;
    let product = shop.product("Phone", "199.00", 3).await;
    let visitor = Visitor::logged_in(&shop, Role::Editor).await;
    let list = visitor.visit("/admin/families").await;
    let form = [("name", "Phone X"), ("options", "storage")];
    visitor.follow(&visitor.submit(&list, "/admin/families", &form).await).await;
    shop.settle().await;
    let path = format!("/admin/products/{product}");
    let choice = visitor.visit(&format!("{path}/family")).await;
    assert!(choice.html.contains("Choose the family") && choice.html.contains(">Phone X</option>"), "{}", choice.html);
    let page = visitor.visit(&format!("{path}/family?family_id=1")).await;
    let save = format!("{path}/family/save");
    let refused = visitor.submit(&page, &save, &[("options.storage", "")]).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.html);
    let saved = visitor.submit(&refused, &save, &[("options.storage", "64 GB")]).await;
    visitor.follow(&saved).await;
    let detail = visitor.visit(&path).await;
    assert!(detail.html.contains("<dt>storage</dt><dd>64 GB</dd>"), "{}", detail.html);
    let left = visitor.submit(&detail, &format!("{path}/family/leave"), &[]).await;
    assert!(visitor.follow(&left).await.html.contains("The product is in no family now."));
}
