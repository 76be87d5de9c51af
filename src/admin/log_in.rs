//! Log in and log out.

use askama::Template;
use axum::extract::{Request, State};
use axum::http::header::{LOCATION, RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::api::{Api, Problem, status_of};
use super::assets;
use super::cookies::Cookie;
use super::form::{self, capitalized};
use super::query::Query;
use super::staff::{PageResult, Staff};
use super::{Site, errors};
use crate::domain::account::Role;

const HOME: &str = "/admin/";
const FORM_LIMIT_BYTES: usize = 16 * 1024;

#[derive(Template)]
#[template(path = "admin/log_in.html")]
struct LogInPage {
    email: String,
    next: String,
    error: Option<String>,
    notice: Option<&'static str>,
    style: String,
    icon: String,
}

/// The tokens of a session, as the API returns them.
#[derive(Deserialize)]
pub struct SessionTokens {
    pub refresh_token: String,
}

/// The address of the log-in that leads back to a page.
pub fn address(way_back: &str) -> String {
    let next = safe_next(way_back);
    if next == HOME {
        return "/admin/log-in".to_owned();
    }
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", &next).finish();
    format!("/admin/log-in?{query}")
}

/// The page to show after the log-in: one of the staff's pages, whatever the address names.
fn safe_next(next: &str) -> String {
    let uri: Option<Uri> = next.parse().ok();
    let address = uri.as_ref().and_then(Uri::path_and_query).map(|address| address.as_str());
    let is_page = |address: &&str| address.starts_with("/admin/") && !address.starts_with("/admin/log-");
    let is_plain = |address: &&str| !address.contains("//") && !address.contains("..") && !address.contains('\\');
    // An address with a host is kept as its path: it can only lead to this site.
    address.filter(is_page).filter(is_plain).unwrap_or(HOME).to_owned()
}

impl LogInPage {
    fn new(email: &str, next: &str) -> Self {
        let (style, icon) = (assets::address("admin.css"), assets::address("icon.svg"));
        Self { email: email.to_owned(), next: safe_next(next), error: None, notice: None, style, icon }
    }

    fn respond(&self, status: StatusCode) -> Response {
        match self.render() {
            Ok(html) => (status, Html(html)).into_response(),
            Err(error) => errors::plain(&Problem::internal(error)),
        }
    }
}

pub async fn show_form(uri: Uri) -> Response {
    let query = Query::parse(uri.query().unwrap_or_default());
    let page = LogInPage::new("", query.get("next"));
    let notice = query.has("out").then_some("You are logged out.");
    LogInPage { notice, ..page }.respond(StatusCode::OK)
}

/// Logs in. The session of the browser so far ends.
pub async fn log_in(State(site): State<Site>, request: Request) -> Response {
    let secure = (site.admin.is_secure)(request.extensions());
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, FORM_LIMIT_BYTES).await else {
        return errors::plain(&Problem::invalid("form", "is too long"));
    };
    let field = |name: &str| form::field_of(&body, name).unwrap_or_default();
    let page = LogInPage::new(&field("email"), &field("next"));
    let api = Api::new(&site.admin.api, &parts.extensions, &parts.headers);
    let cookie = match begin_session(&site, &api, &field("email"), &field("password")).await {
        Ok(cookie) => cookie,
        Err(problem) => {
            let retry_after = problem.retry_after;
            let mut response = LogInPage { error: Some(explain(&problem)), ..page }.respond(status_of(&problem));
            response.headers_mut().extend(retry_after.map(|seconds| (RETRY_AFTER, seconds.into())));
            return response;
        }
    };
    if let Some(earlier) = Cookie::Session.read(&parts.headers, secure) {
        end_session(&api, &earlier).await;
    }
    let next = HeaderValue::from_str(&page.next).unwrap_or(HeaderValue::from_static(HOME));
    let mut response = (StatusCode::SEE_OTHER, [(LOCATION, next)]).into_response();
    set_session(response.headers_mut(), &cookie, secure);
    response
}

/// Checks the password, and returns the token of a session for the cookie.
async fn begin_session(site: &Site, api: &Api, email: &str, password: &str) -> Result<String, Problem> {
    let credentials = json!({ "email": email.trim(), "password": password });
    let tokens = api.post("auth/login").json(&credentials).read::<SessionTokens>().await?.data;
    let session = site.sessions.find(&tokens.refresh_token).await.map_err(Problem::internal)?;
    match session.map(|session| session.identity.role) {
        Some(Role::Customer) | None => {
            end_session(api, &tokens.refresh_token).await;
            Err(customers_cannot_enter())
        }
        Some(_) => Ok(tokens.refresh_token),
    }
}

/// Ends a session; one that has ended is no error.
async fn end_session(api: &Api, token: &str) {
    let ended = api.post("auth/logout").json(&json!({ "refresh_token": token })).send_command().await;
    if let Err(problem) = ended {
        tracing::debug!(problem.detail, "an earlier session was not ended");
    }
}

pub fn set_session(headers: &mut HeaderMap, token: &str, secure: bool) {
    headers.extend(Cookie::Session.set(token, secure).map(|cookie| (SET_COOKIE, cookie)));
}

pub fn customers_cannot_enter() -> Problem {
    let detail = "This account belongs to a customer of the shop. These pages are for the staff.";
    Problem::new(StatusCode::FORBIDDEN, "staff_only", "For the staff", detail)
}

fn explain(problem: &Problem) -> String {
    match (problem.code.as_str(), problem.retry_after) {
        ("wrong_credentials", _) => "The e-mail address or the password is wrong.".to_owned(),
        (_, Some(seconds)) if problem.status == 429 => {
            format!("Too many attempts. Try again in {seconds} seconds.")
        }
        _ if problem.status >= 500 => "The shop is not available. Try again in a moment.".to_owned(),
        _ => capitalized(&problem.detail),
    }
}

pub async fn log_out(staff: Staff) -> PageResult {
    end_session(&staff.api, &staff.cookie).await;
    let mut response = staff.redirect("/admin/log-in?out=1")?;
    response.headers_mut().extend(Cookie::Session.delete(staff.secure).map(|cookie| (SET_COOKIE, cookie)));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_in_leads_to_pages_of_the_staff_only() {
        for next in ["/admin/products?sort=newest", "/admin/categories/7", "/admin/"] {
            assert_eq!(safe_next(next), next);
        }
        for hostile in [
            "",
            "https://evil.example/",
            "//evil.example/admin/",
            "/\\evil.example",
            "/admin/..//evil.example",
            "/admin//evil.example",
            "/admin/\\evil",
            "javascript:alert(1)",
            "/adminevil",
            "/shop/api/",
            "/admin/log-out",
            "/admin/log-in?next=/admin/",
            "admin/",
            "\t/admin/",
        ] {
            assert_eq!(safe_next(hostile), HOME, "{hostile:?}");
        }
        assert_eq!(safe_next("https://evil.example/admin/products"), "/admin/products", "it stays on this site");
        assert_eq!(address("/admin/products?sort=newest"), "/admin/log-in?next=%2Fadmin%2Fproducts%3Fsort%3Dnewest");
        assert_eq!(address("/admin/"), "/admin/log-in");
    }
}
