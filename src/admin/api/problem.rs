//! Problems: why the API refused a call.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// A problem document. As a response it becomes a page of its own, unless the handler shows it where it happened.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Problem {
    pub status: u16,
    /// Stable identifier, such as `category_not_empty`.
    pub code: String,
    pub title: String,
    pub detail: String,
    pub errors: Box<[FieldProblem]>,
    /// Orders that stand in the way of an erasure.
    pub order_ids: Box<[i64]>,
    /// Seconds to wait before the next attempt.
    #[serde(skip)]
    pub retry_after: Option<u32>,
}

/// What is wrong with a field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct FieldProblem {
    pub field: String,
    pub message: String,
}

impl Problem {
    pub(super) fn read(status: StatusCode, body: &[u8], retry_after: Option<u32>) -> Self {
        let read: Option<Self> = serde_json::from_slice(body).ok();
        let mut problem = read.unwrap_or_else(|| Self::new(status, "unreadable", "The shop did not answer", ""));
        problem.status = status.as_u16();
        problem.retry_after = retry_after;
        problem
    }

    pub fn new(status: StatusCode, code: &str, title: &str, detail: &str) -> Self {
        let (code, title, detail) = (code.to_owned(), title.to_owned(), detail.to_owned());
        Self { status: status.as_u16(), code, title, detail, ..Self::default() }
    }

    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Page not found", "There is no page at this address.")
    }

    /// A field of a form that the page itself refuses.
    pub fn invalid(field: &str, message: &str) -> Self {
        let problem = Self::new(StatusCode::BAD_REQUEST, "invalid_request", "Invalid request", "");
        let error = FieldProblem { field: field.to_owned(), message: message.to_owned() };
        Self { errors: Box::new([error]), ..problem }
    }

    /// A defect: logged, not shown.
    pub fn internal(reason: impl std::fmt::Display) -> Self {
        tracing::error!(%reason, "a page failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error", "The server has logged the reason.")
    }

    /// The reason in one sentence.
    pub fn sentence(&self) -> String {
        let fields: Vec<_> = self.errors.iter().map(|error| format!("{} {}", error.field, error.message)).collect();
        if fields.is_empty() { self.detail.clone() } else { fields.join("; ") }
    }

    /// Whether the form may be sent again after a change: what it holds was refused, not the session or the server.
    pub fn is_about_input(&self) -> bool {
        [400, 409, 412, 413, 415, 422].contains(&self.status)
    }

    /// Whether the subject was changed since the form was shown.
    pub fn is_stale(&self) -> bool {
        self.status == 412
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = super::status_of(&self).into_response();
        response.extensions_mut().insert(self);
        response
    }
}
