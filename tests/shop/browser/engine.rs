//! The engine room: a table is rebuilt, and its bar moves until it is in service.

use cartwright::domain::account::Role;
use sqlx::{Connection, Executor, PgConnection};

use crate::support::browser::browse_as;

#[tokio::test]
#[ignore = "needs Chromium and axe-core"]
async fn an_admin_rebuilds_a_table_and_watches_its_bar() {
    browse_as(Role::Admin, async |page| {
        page.visit("/admin/projections").await;
        page.see_cell("bestsellers", "State", "live").await;
        // A reader of the old table holds the end of the rebuild back.
        let mut reader = PgConnection::connect_with(&page.shop().database).await.unwrap();
        let mut reading = reader.begin().await.unwrap();
        reading.execute("select from live.bestsellers").await.unwrap();
        page.press("Rebuild bestsellers").await;
        page.see("Rebuild this table?").await;
        page.press("Rebuild").await;
        page.see("The rebuild of bestsellers has begun.").await;
        page.until("show a bar", "return document.querySelector('#projections progress') !== null").await;
        reading.rollback().await.unwrap();
        // The bar disappears without a click.
        page.see_cell("bestsellers", "State", "live").await;
        page.until("no bar", "return document.querySelector('#projections progress') === null").await;
        page.press("Verify bestsellers").await;
        page.see("rows equal the log").await;
        page.assert_accessible().await;
        page.visit("/admin/events").await;
        page.assert_accessible().await;
        page.visit("/admin/webhooks").await;
        page.assert_accessible().await;
        page.visit("/admin/engine").await;
        page.see("Reactions parked").await;
    })
    .await;
}
