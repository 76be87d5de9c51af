//! Every problem code has a page that the shop serves.

use std::collections::BTreeSet;
use std::path::Path;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::json;
use tower::ServiceExt;

use crate::support::TestShop;
use crate::support::pages::{page, root};

/// The code of a file without comments and unit tests.
fn code_of(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join(" ")
}

fn sources(folder: &Path, found: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            *found += &code_of(&path);
        }
    }
}

fn is_code(literal: &str) -> bool {
    literal.len() > 2 && literal.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// Every code that the sources make a problem of: `"code", "Title"`, a constructor's first literal, or `let code = match`.
fn codes_in_sources() -> BTreeSet<String> {
    let mut text = String::new();
    sources(&root().join("src/http"), &mut text);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let literals: Vec<&str> = text.split('"').collect();
    let mut codes = BTreeSet::new();
    for window in literals.windows(3) {
        let [code, comma, title] = window else { continue };
        if is_code(code) && *comma == ", " && title.starts_with(|first: char| first.is_ascii_uppercase()) {
            codes.insert((*code).to_owned());
        }
    }
    for constructor in ["unavailable(", "unauthenticated(", "not_found("] {
        for (place, _) in text.match_indices(constructor) {
            let mut parts = text[place + constructor.len()..].split('"');
            let (before, literal) = (parts.next().unwrap(), parts.next().unwrap_or_default());
            if before.trim().is_empty() && is_code(literal) {
                codes.insert(literal.to_owned());
            }
        }
    }
    for block in text.split("let code = match").skip(1) {
        let arms = block.split("};").next().unwrap();
        codes.extend(arms.split("=> \"").skip(1).map(|arm| arm.split('"').next().unwrap().to_owned()));
    }
    codes
}

#[tokio::test]
async fn every_problem_code_has_a_page_that_the_shop_serves() {
    let text = page("docs/problems.md");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter_map(|line| Some(line.strip_prefix("| `")?.strip_suffix(" |")?.split(" | ").collect()))
        .collect();
    let mut described = BTreeSet::new();
    for row in &rows {
        let [code, statuses, meaning, remedy] = row[..] else { panic!("{row:?} has not four cells") };
        assert!(described.insert(code.trim_end_matches('`').to_owned()), "{code} has two rows");
        let known = |status: &str| ["4", "5"].iter().any(|first| status.starts_with(first)) && status.len() == 3;
        assert!(statuses.split(", ").all(known), "{row:?}");
        assert!(meaning.ends_with('.') && remedy.ends_with('.'), "{row:?}");
    }
    let codes = codes_in_sources();
    assert!(codes.len() > 120, "{codes:?}");
    let undescribed: Vec<_> = codes.difference(&described).collect();
    assert!(undescribed.is_empty(), "docs/problems.md has no row for {undescribed:?}");

    let shop = TestShop::new().await;
    let get = async |path: &str| {
        let answer = shop.router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        let (status, kind) = (answer.status(), answer.headers()["content-type"].to_str().unwrap().to_owned());
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (status, kind, String::from_utf8(body.to_vec()).unwrap())
    };
    for row in &rows {
        let code = row[0].trim_end_matches('`');
        let (status, kind, text) = get(&format!("/problems/{code}")).await;
        assert_eq!((status, kind.as_str()), (StatusCode::OK, "text/html; charset=utf-8"), "{code}");
        let plain = |cell: &str| cell.replace('`', "").replace('<', "&lt;").replace('>', "&gt;");
        let shown = text.replace("<code>", "").replace("</code>", "");
        assert!(shown.contains(&plain(row[2])) && shown.contains(&plain(row[3])), "{code}: {text}");
        assert!(!text.contains("http://") && !text.contains("https://"), "{code} needs another server");
    }
    let (status, _, list) = get("/problems/").await;
    assert!(status == StatusCode::OK && list.contains("/problems/out_of_stock"), "{list}");

    let problem = shop.post("categories/", json!({})).await.body;
    assert_eq!(problem["type"], "/problems/invalid_request");
    let (status, ..) = get(problem["type"].as_str().unwrap()).await;
    assert_eq!(status, StatusCode::OK);
    let (status, kind, _) = get("/problems/nothing").await;
    assert_eq!((status, kind.as_str()), (StatusCode::NOT_FOUND, "application/problem+json"));
}
