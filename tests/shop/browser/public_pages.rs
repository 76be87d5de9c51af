//! The pages that anyone may open.

use crate::support::browser::browse;

#[tokio::test]
#[ignore = "needs Chromium and axe-core"]
async fn public_pages_are_accessible_quiet_and_fit_a_phone() {
    browse(async |page| {
        for (path, name) in
            [("/", "start"), ("/account/confirm", "account-confirm"), ("/account/reset", "account-reset")]
        {
            page.visit(path).await;
            page.assert_accessible().await;
            assert_eq!(page.shoot(name).await, [""; 0], "{path}");
            page.assert_quiet().await;
        }
    })
    .await;
}
