//! Sessions of staff: log in and log out.

use serde_json::json;

use crate::support::accounts::PASSWORD;
use crate::support::browser::browse;

#[tokio::test]
#[ignore = "needs Chromium and axe-core"]
async fn a_session_begins_with_the_right_password_and_ends_with_the_log_out() {
    browse(async |page| {
        page.visit("/admin/categories").await;
        assert_eq!(page.path().await, "/admin/log-in?next=%2Fadmin%2Fcategories");
        page.fill("E-mail address", "reader@example.com").await;
        page.fill("Password", "a wrong password").await;
        page.press("Log in").await;
        page.see("The e-mail address or the password is wrong.").await;
        assert_eq!(page.value("E-mail address").await, "reader@example.com", "nothing typed is lost");
        assert_eq!(page.value("Password").await, "");
        page.assert_accessible().await;
        assert_eq!(page.shoot("admin-log-in").await, [""; 0]);
        page.fill("Password", PASSWORD).await;
        page.press("Log in").await;
        page.see("Log out").await;
        assert_eq!(page.path().await, "/admin/categories", "the way back");

        let cookies = page.cookies().await;
        let [session] = cookies.as_slice() else { panic!("{cookies:?}") };
        let flags = serde_json::to_value(session).unwrap();
        assert_eq!((&flags["httpOnly"], &flags["sameSite"]), (&json!(true), &json!("Lax")));
        page.press("Log out").await;
        page.see("You are logged out.").await;
        assert_eq!(page.cookies().await.len(), 0);
        page.set_cookie(session.clone()).await;
        page.visit("/admin/categories").await;
        assert!(page.path().await.starts_with("/admin/log-in"), "the session has ended on the server too");
    })
    .await;
}
