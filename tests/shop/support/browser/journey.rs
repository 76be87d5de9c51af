//! A journey: one test in one browser, with a report of the page if it fails.

use std::panic::{AssertUnwindSafe, resume_unwind};

use cartwright::domain::account::Role;
use futures_util::FutureExt;

use super::page::Page;
use super::{driver, shop};

/// Runs a test in a browser of its own, which must be quiet to the end.
pub async fn browse(test: impl AsyncFnOnce(&Page)) {
    let shop = shop::shop().await;
    let (session, _profile) = driver::open().await;
    let page = Page::new(session.clone(), shop);
    let journey = async {
        page.use_desktop().await;
        test(&page).await;
        page.assert_quiet().await;
    };
    let outcome = AssertUnwindSafe(journey).catch_unwind().await;
    if outcome.is_err() {
        report(&page).await;
    }
    let closed = session.quit().await;
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
    closed.unwrap();
}

/// The same, logged in.
pub async fn browse_as(role: Role, test: impl AsyncFnOnce(&Page)) {
    browse(async |page| {
        page.log_in_as(role).await;
        test(page).await;
    })
    .await;
}

/// Prints what the browser shows.
async fn report(page: &Page) {
    // A broken page must not hide why the test failed.
    let describe = async {
        let test = std::thread::current().name().unwrap_or("a test").replace("::", "-");
        let picture = page.save(&format!("failed-{test}")).await;
        let (path, text, console) = (page.path().await, page.visible_text().await, page.console().await);
        let text: String = text.chars().take(4_000).collect();
        eprintln!(
            "The page when it failed: {path}\n{text}\nIts console: {console:#?}\nIts picture: {}",
            picture.display()
        );
    };
    if AssertUnwindSafe(describe).catch_unwind().await.is_err() {
        eprintln!("The page could not be read.");
    }
}
