//! A page for each problem code, at the address that is the `type` of the problem. Served without any other server.
//!
//! The text is `docs/problems.md`: a table row for each code.

use std::fmt::Write;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::http::wire::error::{ApiError, PROBLEM_PAGES};

const SOURCE: &str = include_str!("../../docs/problems.md");

const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What the page of a code says. Texts are Markdown with `code` only.
struct ProblemPage {
    code: &'static str,
    statuses: &'static str,
    meaning: &'static str,
    remedy: &'static str,
}

pub fn router() -> Router {
    let (list, page) = (PROBLEM_PAGES.trim_end_matches('/').to_owned(), format!("{PROBLEM_PAGES}{{code}}"));
    Router::new()
        .route(&list, get(list_problems))
        .route(&format!("{list}/"), get(list_problems))
        .route(&page, get(show_problem))
        .route(&format!("{page}/"), get(show_problem))
}

async fn list_problems() -> Response {
    let mut body = "<h1>Problems</h1>".to_owned();
    for line in SOURCE.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            let _ = write!(body, "<h2>{}</h2>", html(heading));
        } else if let Some(ProblemPage { code, meaning, .. }) = parse_row(line) {
            let _ = write!(body, "<p><a href=\"{PROBLEM_PAGES}{code}\">{code}</a>: {}</p>", html(meaning));
        }
    }
    page("Problems", &body)
}

async fn show_problem(Path(code): Path<String>) -> Response {
    let Some(ProblemPage { code, statuses, meaning, remedy }) = pages().find(|page| page.code == code) else {
        return ApiError::not_found("not_found", "Not found").into_response();
    };
    let (meaning, remedy) = (html(meaning), html(remedy));
    page(
        code,
        &format!(
            "<h1>{code}</h1><p>Status {statuses}</p><h2>Meaning</h2><p>{meaning}</p><h2>What to do</h2><p>{remedy}</p>\
             <p><a href=\"/problems\">All problems</a> · <a href=\"/docs\">All routes</a></p>"
        ),
    )
}

fn pages() -> impl Iterator<Item = ProblemPage> {
    SOURCE.lines().filter_map(parse_row)
}

/// A row of the tables: `` | `code` | status | meaning | what to do | ``.
fn parse_row(line: &'static str) -> Option<ProblemPage> {
    let mut cells = line.strip_prefix("| `")?.strip_suffix(" |")?.split(" | ");
    let code = cells.next()?.strip_suffix('`')?;
    Some(ProblemPage { code, statuses: cells.next()?, meaning: cells.next()?, remedy: cells.next()? })
}

/// Escapes a text, and shows what is between backticks as code.
fn html(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let parts = escaped.split('`').enumerate();
    parts.map(|(part, text)| if part % 2 == 1 { format!("<code>{text}</code>") } else { text.to_owned() }).collect()
}

fn page(title: &str, body: &str) -> Response {
    let text = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title>\
         <link rel=\"stylesheet\" href=\"/account/account.css\"><main>{body}</main></html>\n"
    );
    let headers =
        [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, POLICY), (CACHE_CONTROL, "no-cache")];
    (StatusCode::OK, headers, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_a_page_and_its_text_is_escaped() {
        let row = parse_row("| `cart_empty` | 409 | No <items>. | Add `items`. |").unwrap();
        assert_eq!(
            (row.code, row.statuses, html(row.remedy)),
            ("cart_empty", "409", "Add <code>items</code>.".to_owned())
        );
        assert_eq!(html(row.meaning), "No &lt;items&gt;.");
        assert!(parse_row("| code | status | meaning | what to do |").is_none() && pages().count() > 100);
    }
}
