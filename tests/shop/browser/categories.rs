//! Categories: two people who change the same one.

use cartwright::domain::account::Role;
use serde_json::json;

use crate::support::browser::browse_as;

#[tokio::test]
#[ignore = "needs Chromium and axe-core"]
async fn two_people_who_change_the_same_category_are_notified() {
    browse_as(Role::Editor, async |page| {
        let api = page.api();
        let created = api.post("categories/", json!({ "category_name": "Two people" })).await;
        let path = format!("categories/{}/", created["category_id"]);
        page.visit(&format!("/admin/{}", path.trim_end_matches('/'))).await;
        page.fill("Name", "The second of two people").await;
        api.patch(&path, json!({ "category_name": "The first of two people" })).await;
        page.press("Save").await;
        page.see("This was changed in the meantime, so your changes were not saved.").await;
        page.see("Stored now: The first of two people").await;
        assert_eq!(page.value("Name").await, "The second of two people", "nothing typed is lost");
        page.assert_accessible().await;
        page.press("Save").await;
        page.see("The category was saved.").await;
        assert_eq!(api.read(&path).await["category_name"], "The second of two people");
    })
    .await;
}
