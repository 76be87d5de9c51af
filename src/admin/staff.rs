//! The member of the staff behind a request: session, rights, and the API in their name.

use std::ops::Deref;
use std::sync::Arc;

use askama::Template;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, OriginalUri, Path, Request, State};
use axum::http::header::{LOCATION, REFERER, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use chrono::NaiveDate;

use super::api::{Api, Problem, status_of};
use super::cookies::Cookie;
use super::flash::Flash;
use super::page::Page;
use super::query::Query;
use super::{BODY_LIMIT_BYTES, Site, csrf, errors, log_in};
use crate::domain::account::Role;

/// What a handler of a page returns. A problem becomes a page that explains it.
pub type PageResult = Result<Response, Problem>;

/// A member of the staff, as an extractor. Cheap to clone.
#[derive(Clone)]
pub struct Staff(Arc<StaffParts>);

pub struct StaffParts {
    /// The API in the name of this session.
    pub api: Api,
    pub account_id: i64,
    pub email: String,
    pub role: Role,
    pub path: String,
    pub query: Query,
    /// Token of the session's forms.
    pub csrf: String,
    pub(super) site: Site,
    pub(super) flash: Option<Flash>,
    pub(super) cookie: String,
    pub(super) secure: bool,
    /// Whether a script wants a part of a page.
    pub is_fragment: bool,
}

impl Deref for Staff {
    type Target = StaffParts;

    fn deref(&self) -> &StaffParts {
        &self.0
    }
}

impl<S: Sync> FromRequestParts<S> for Staff {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get().cloned().ok_or_else(|| Problem::internal("a page is outside the layer of sessions"))
    }
}

/// The number in an address; anything else is a page that does not exist.
pub struct Id(pub i64);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Path::<i64>::from_request_parts(parts, state).await;
        read.map(|Path(id)| Self(id)).map_err(|_| Problem::not_found())
    }
}

/// Two numbers in an address.
pub struct Ids(pub i64, pub i64);

impl<S: Send + Sync> FromRequestParts<S> for Ids {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Path::<(i64, i64)>::from_request_parts(parts, state).await;
        read.map(|Path((first, second))| Self(first, second)).map_err(|_| Problem::not_found())
    }
}

impl Staff {
    /// Whether the API admits this member to an operation, by its `operationId`.
    pub fn may(&self, operation: &str) -> bool {
        let least = self.site.admin.least_roles.get(operation);
        debug_assert!(least.is_some(), "the API has no operation {operation}");
        least.is_some_and(|least| self.role >= *least)
    }

    /// Refuses the page of a form that the API would refuse.
    pub fn require(&self, operation: &str) -> Result<(), Problem> {
        if self.may(operation) {
            return Ok(());
        }
        let detail = format!("The role {} does not allow this.", self.role);
        Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "Forbidden", &detail))
    }

    /// The day by which the API counts.
    pub fn today(&self) -> NaiveDate {
        self.site.admin.clock.database_time().date_naive()
    }

    /// Begins a page.
    pub fn page(&self, title: impl Into<String>) -> Page {
        Page::new(self.clone(), title.into())
    }

    pub fn show(&self, template: &impl Template) -> PageResult {
        self.show_as(StatusCode::OK, template)
    }

    /// A form again, with what was refused.
    pub fn show_refused(&self, problem: &Problem, template: &impl Template) -> PageResult {
        self.show_as(status_of(problem), template)
    }

    fn show_as(&self, status: StatusCode, template: &impl Template) -> PageResult {
        let html = template.render().map_err(Problem::internal)?;
        Ok((status, Html(html)).into_response())
    }

    /// The next page after a change, with a message.
    pub fn done(&self, to: &str, message: impl Into<String>) -> PageResult {
        self.done_as(&self.cookie, to, message)
    }

    /// The next page after a change that began another session.
    pub(super) fn done_as(&self, session: &str, to: &str, message: impl Into<String>) -> PageResult {
        let mut response = self.redirect(to)?;
        let cookie = Cookie::Flash.set(&Flash::success(message).seal(session), self.secure);
        response.headers_mut().extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
        Ok(response)
    }

    pub fn redirect(&self, to: &str) -> PageResult {
        redirect(to, self.is_fragment).ok_or_else(|| Problem::internal(format!("{to} is no address")))
    }
}

/// 303, or for a script the header that makes it load another page.
fn redirect(to: &str, is_fragment: bool) -> Option<Response> {
    let to = HeaderValue::from_str(to).ok()?;
    Some(if is_fragment {
        (StatusCode::NO_CONTENT, [(HeaderName::from_static("hx-redirect"), to)]).into_response()
    } else {
        (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response()
    })
}

/// A layer: finds the session, checks that a change comes from its pages, and shows problems as pages.
pub async fn require_session(State(site): State<Site>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let secure = (site.admin.is_secure)(&parts.extensions);
    let is_fragment = parts.headers.contains_key("hx-request");
    let way_back = way_back(&parts);
    let cookie = Cookie::Session.read(&parts.headers, secure);
    let staff = match &cookie {
        Some(cookie) => match find_staff(&site, &parts, cookie, secure).await {
            Ok(staff) => staff,
            Err(problem) => return errors::plain(&problem),
        },
        None => None,
    };
    let Some(staff) = staff else { return ask_to_log_in(&way_back, is_fragment, secure) };
    if staff.role == Role::Customer {
        return errors::plain(&log_in::customers_cannot_enter());
    }
    let response = match admit(&staff, parts, body).await {
        Ok(request) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    finish(&staff, response, &way_back)
}

/// Shows the problem of a response, and deletes the message that was shown.
fn finish(staff: &Staff, mut response: Response, way_back: &str) -> Response {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        if problem.status == 401 {
            return ask_to_log_in(way_back, staff.is_fragment, staff.secure);
        }
        response = errors::of_staff(staff, &problem);
    }
    let is_page = response.status() == StatusCode::OK && !staff.is_fragment;
    if staff.flash.is_some() && is_page {
        response.headers_mut().extend(Cookie::Flash.delete(staff.secure).map(|cookie| (SET_COOKIE, cookie)));
    }
    response
}

async fn find_staff(site: &Site, parts: &Parts, cookie: &str, secure: bool) -> Result<Option<Staff>, Problem> {
    let session = match site.sessions.find(cookie).await {
        Ok(Some(session)) => session,
        Ok(None) => return Ok(None),
        Err(error) => {
            tracing::warn!(%error, "cannot read the session of a page");
            let detail = "The database does not answer. Nothing was changed; try again in a moment.";
            let unavailable = StatusCode::SERVICE_UNAVAILABLE;
            return Err(Problem::new(unavailable, "database_unavailable", "The shop is not available", detail));
        }
    };
    let headers = &parts.headers;
    let api = Api::new(&site.admin.api, &parts.extensions, headers);
    let flash = Cookie::Flash.read(headers, secure).and_then(|sealed| Flash::open(cookie, &sealed));
    let uri = uri_of(parts);
    Ok(Some(Staff(Arc::new(StaffParts {
        api: api.with_token(session.access_token.expose()),
        account_id: session.identity.account_id.0,
        email: session.email.clone(),
        role: session.identity.role,
        path: uri.path().to_owned(),
        query: Query::parse(uri.query().unwrap_or_default()),
        csrf: csrf::token(cookie),
        site: site.clone(),
        flash,
        cookie: cookie.to_owned(),
        secure,
        is_fragment: headers.contains_key("hx-request"),
    }))))
}

/// Checks that a change comes from a page of this session.
async fn admit(staff: &Staff, mut parts: Parts, body: Body) -> Result<Request, Problem> {
    let body = if csrf::is_read(&parts.method) {
        body
    } else {
        let too_large = |_| {
            let detail = "The form is larger than 11 MiB.";
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", "The form is too large", detail)
        };
        let body = to_bytes(body, BODY_LIMIT_BYTES).await.map_err(too_large)?;
        csrf::check(&staff.cookie, &parts.headers, &body).await?;
        Body::from(body)
    };
    parts.extensions.insert(staff.clone());
    Ok(Request::from_parts(parts, body))
}

fn uri_of(parts: &Parts) -> &Uri {
    parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |uri| &uri.0)
}

/// The page to show after a log-in: this one, or for a change the page with its form.
fn way_back(parts: &Parts) -> String {
    let is_page = csrf::is_read(&parts.method) && !parts.headers.contains_key("hx-request");
    let page = if is_page { Some(uri_of(parts).clone()) } else { referer(&parts.headers) };
    page.as_ref().and_then(Uri::path_and_query).map(ToString::to_string).unwrap_or_default()
}

fn referer(headers: &HeaderMap) -> Option<Uri> {
    headers.get(REFERER)?.to_str().ok()?.parse().ok()
}

fn ask_to_log_in(way_back: &str, is_fragment: bool, secure: bool) -> Response {
    let to = log_in::address(way_back);
    let mut response = redirect(&to, is_fragment).unwrap_or_else(|| StatusCode::UNAUTHORIZED.into_response());
    response.headers_mut().extend(Cookie::Session.delete(secure).map(|cookie| (SET_COOKIE, cookie)));
    response
}
