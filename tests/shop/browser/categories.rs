//! Categories: created, renamed, and refused with nothing typed lost.

use cartwright::domain::account::Role;
use serde_json::json;

use crate::support::browser::browse_as;

#[tokio::test]
#[ignore = "needs Chromium and axe-core"]
async fn an_editor_creates_and_renames_a_category_and_reads_who_did_it() {
    browse_as(Role::Editor, async |page| {
        page.visit("/admin/categories").await;
        page.fill("Name", "Kitchen").await;
        page.press("Create the category").await;
        page.see("already").await;
        assert_eq!(page.value("Name").await, "Kitchen", "nothing typed is lost");
        page.assert_accessible().await;
        page.fill("Name", "شاي 🫖 and kettles").await;
        page.fill("Below", "Kitchen").await;
        page.press("Create the category").await;
        page.see("The category was created.").await;
        page.fill("Name", "Kettles and pots").await;
        page.press("Save").await;
        page.see("The category was saved.").await;
        page.part("History").see("(editor)").await;
        page.part("History").see("شاي 🫖 and kettles").await;
        page.press("Delete").await;
        page.see("Delete the category Kettles and pots?").await;
        page.press("Cancel").await;
        page.press("Delete").await;
        page.press("Delete").await;
        page.see("The category was deleted.").await;
        assert_eq!(page.path().await, "/admin/categories");
    })
    .await;
}

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
