//! Errors as problem documents (RFC 9457).

use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::accounts::AccountsError;
use crate::database::failure::DatabaseFailure;
use crate::database::stale_plans;
use crate::database::unavailability::Unavailability;
use crate::domain::order::{Action, Fulfilment, Payment, PaymentMethod, Status};
use crate::domain::product::UnavailableReason;
use crate::domain::refusal::Refusal;
use crate::journal::CommandError;

/// An error response.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: String,
    /// Further members of the problem document.
    members: Vec<(&'static str, Value)>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Why a query failed that may be meant for other tables than those in service.
    unfit: Option<Box<UnfitQuery>>,
}

/// In a response: a query failed that may be meant for other tables than those in service. A layer decides whether it is
/// a 500 or a 503.
#[derive(Clone, Debug)]
pub struct UnfitQuery(pub String);

/// An invalid field of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// Path of the field: `lines[0].quantity`.
    pub field: String,
    pub message: String,
}

/// The body of every error, `application/problem+json`.
#[derive(ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "it only describes the document for OpenAPI")]
pub struct Problem {
    /// Path of a page that explains the problem: `/problems/<code>`.
    r#type: String,
    /// Short description of the problem; the same text as `error`.
    title: String,
    status: u16,
    detail: String,
    /// Stable identifier for programs, such as `cart_not_found`.
    code: String,
    error: String,
    /// The invalid fields, if any.
    errors: Option<Vec<FieldError>>,
    /// With `database_unavailable`: why, such as `disk_full`.
    reason: Option<String>,
    /// With a refused command of an order: its states.
    states: Option<ProblemStates>,
    /// With a refused move of an order: the actions that the caller may take instead.
    allowed: Option<Vec<Action>>,
    /// With `items_unavailable` and `not_on_hand`: the products at fault.
    products: Option<Vec<ProblemProduct>>,
    product_id: Option<i64>,
    /// With `rows_refused`: each refused row with its problem.
    rows: Option<Vec<ProblemRow>>,
    /// The order that already exists.
    order_id: Option<i64>,
    /// With `open_orders`: the first of them.
    order_ids: Option<Vec<i64>>,
    /// With `payment_method_unavailable`: the methods that the buyer is offered.
    offered: Option<Vec<PaymentMethod>>,
    /// With `total_changed`: the total that the client expected.
    #[schema(example = "10.00")]
    expected: Option<String>,
    /// With `total_changed`: the total now.
    #[schema(example = "99.00")]
    total: Option<String>,
    /// With `position_gone`: the log, its generation and its last position, and where the generation began.
    log_id: Option<Uuid>,
    generation: Option<i64>,
    head: Option<i64>,
    began_after: Option<i64>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes the document for OpenAPI")]
struct ProblemStates {
    status: Status,
    payment: Payment,
    fulfilment: Fulfilment,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes the document for OpenAPI")]
struct ProblemRow {
    /// Line of the row in the request, from 1.
    line: u64,
    /// A problem document.
    problem: Value,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes the document for OpenAPI")]
struct ProblemProduct {
    product_id: i64,
    name: Option<String>,
    requested: i64,
    /// With `items_unavailable`.
    reason: Option<UnavailableReason>,
    /// With `items_unavailable`: units that can be ordered.
    available: Option<i64>,
    /// With `not_on_hand`.
    on_hand: Option<i64>,
}

/// Where the pages of the problem codes are.
pub const PROBLEM_PAGES: &str = "/problems/";

/// Limits of a response: errors, and characters of each.
const ERRORS_SHOWN: usize = 50;
const ERROR_CHARACTERS: usize = 300;

fn shorten(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(ERROR_CHARACTERS) {
        text.truncate(end);
        text.push('…');
    }
}

impl ApiError {
    pub fn new(status: StatusCode, code: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, title, detail: detail.into(), members: vec![], headers: vec![], unfit: None }
    }

    /// 400 with every invalid field.
    pub fn invalid(mut errors: Vec<FieldError>) -> Self {
        // Messages quote the request, so they are cut: a response must not be longer than its request.
        let more = errors.len().saturating_sub(ERRORS_SHOWN);
        errors.truncate(ERRORS_SHOWN);
        for error in &mut errors {
            shorten(&mut error.field);
            shorten(&mut error.message);
        }
        if more > 0 {
            let message = format!("has {more} more errors");
            errors.push(FieldError { field: "body".to_owned(), message });
        }
        let detail = errors.iter().map(|error| format!("{} {}", error.field, error.message)).collect::<Vec<_>>();
        let error = Self::new(StatusCode::BAD_REQUEST, "invalid_request", "Invalid request", detail.join("; "));
        error.with("errors", json!(errors))
    }

    /// 400 for a field, parameter or header.
    pub fn invalid_field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError { field: field.into(), message: message.into() }])
    }

    pub fn not_found(code: &'static str, title: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, title, title.to_lowercase())
    }

    /// 500 for a defect: logged, not shown to the client.
    pub fn internal(reason: impl std::fmt::Display) -> Self {
        internal(&reason)
    }

    /// 401: the caller is not authenticated.
    pub fn unauthenticated(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, "Not authenticated", detail)
    }

    /// 403: the caller's role does not permit the request, or what it is about belongs to another customer.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Forbidden", detail)
    }

    pub fn unavailable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, "Service unavailable", detail)
    }

    /// 503 that names what the database lacks.
    pub fn database_unavailable(reason: Unavailability) -> Self {
        Self::unavailable("database_unavailable", reason.describe()).with("reason", json!(reason.code()))
    }

    pub fn with_header(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn detail(&self) -> &str {
        &self.detail
    }

    pub fn is_conflict(&self) -> bool {
        self.status == StatusCode::CONFLICT
    }

    pub fn is_client_error(&self) -> bool {
        self.status.is_client_error()
    }

    /// Adds a sentence to the detail.
    pub fn and(mut self, more: &str) -> Self {
        self.detail = format!("{}; {more}", self.detail);
        self
    }

    pub(in crate::http) fn with(mut self, name: &'static str, value: Value) -> Self {
        self.members.push((name, value));
        self
    }
}

impl From<CommandError> for ApiError {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Refused(refusal) => refusal.into(),
            CommandError::Stale { current } => {
                let detail = format!("the resource has version \"{current}\"");
                Self::new(StatusCode::PRECONDITION_FAILED, "stale", "Precondition failed", detail)
            }
            CommandError::KeyReused => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "Idempotency key reused",
                error.to_string(),
            ),
            CommandError::Busy => Self::unavailable("busy", error.to_string()),
            CommandError::Unavailable { reason, error } => {
                tracing::warn!(%error, "a command failed because the database is unavailable");
                Self::database_unavailable(reason).and("nothing was changed")
            }
            CommandError::OutcomeUnknown => Self::unavailable(
                "outcome_unknown",
                "it is unknown whether the command was executed; \
                 send it again with the same Idempotency-Key to find out",
            ),
            CommandError::Internal(reason) => internal(&reason),
        }
    }
}

impl From<AccountsError> for ApiError {
    fn from(error: AccountsError) -> Self {
        match error {
            AccountsError::WrongCredentials => Self::unauthenticated("wrong_credentials", error.to_string()),
            AccountsError::InvalidToken => Self::unauthenticated("invalid_refresh_token", error.to_string()),
            AccountsError::InvalidLink => Refusal::LinkInvalid.into(),
            AccountsError::Busy => Self::unavailable("busy", error.to_string()),
            AccountsError::Command(error) => error.into(),
            AccountsError::Database(error) => error.into(),
            AccountsError::Keys(error) => internal(&error),
        }
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        match DatabaseFailure::of(&error) {
            // It came with the request.
            DatabaseFailure::InvalidValue => {
                tracing::debug!(%error, "a query was given a value that the database refuses");
                Self::invalid_field("request", "has a value that cannot be stored or compared")
            }
            failure if failure.is_transient() => {
                tracing::warn!(%error, "a query failed because the database is unavailable");
                Self::database_unavailable(Unavailability::of(&error))
            }
            failure if failure.may_be_of_other_tables() => {
                if failure == DatabaseFailure::StalePlan {
                    stale_plans::record();
                }
                Self { unfit: Some(Box::new(UnfitQuery(error.to_string()))), ..internal_error() }
            }
            _ => internal(&error),
        }
    }
}

/// A 500: the log has the reason, the response has none.
fn internal(reason: &dyn std::fmt::Display) -> ApiError {
    tracing::error!(%reason, "a request failed");
    internal_error()
}

fn internal_error() -> ApiError {
    let detail = "internal error; details are in the log";
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error", detail)
}

impl ApiError {
    /// The problem document.
    pub fn problem(&self) -> Value {
        let mut problem = json!({
            "type": format!("{PROBLEM_PAGES}{}", self.code),
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
            "code": self.code,
            "error": self.title,
        });
        for (name, value) in &self.members {
            problem[*name] = value.clone();
        }
        problem
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.problem())).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        for (name, value) in self.headers {
            response.headers_mut().insert(name, value);
        }
        if let Some(unfit) = self.unfit {
            response.extensions_mut().insert(*unfit);
        }
        response
    }
}
