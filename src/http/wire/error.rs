//! Errors as problem documents (RFC 9457); the status, code and title of every refusal.

use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::accounts::AccountsError;
use crate::database::failure::DatabaseFailure;
use crate::domain::account::AccountError;
use crate::domain::cart::CartError;
use crate::domain::category::CategoryError;
use crate::domain::claim::ClaimError;
use crate::domain::customer::CustomerError;
use crate::domain::discount::DiscountError;
use crate::domain::order::OrderError;
use crate::domain::pricing::PricingError;
use crate::domain::product::ProductError;
use crate::domain::refusal::Refusal;
use crate::domain::webhook::WebhookError;
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
}

/// An invalid field of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
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
    /// Always `about:blank`; `code` identifies the problem.
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
}

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
        Self { status, code, title, detail: detail.into(), members: vec![], headers: vec![] }
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

    /// 403: the caller's role does not permit the request.
    pub fn forbidden() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "Forbidden",
            "the role of this account does not permit the request",
        )
    }

    pub fn unavailable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, "Service unavailable", detail)
    }

    pub fn with_header(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn is_client_error(&self) -> bool {
        self.status.is_client_error()
    }

    fn with(mut self, name: &'static str, value: Value) -> Self {
        self.members.push((name, value));
        self
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let (status, code, title) = classify_refusal(&refusal);
        let error = Self::new(status, code, title, refusal.to_string());
        match &refusal {
            Refusal::OutOfStock(shortages) => error.with("products", json!(shortages)),
            Refusal::Unavailable { product_id, .. } => error.with("product_id", json!(product_id)),
            Refusal::Cart(CartError::AlreadyCheckedOut { order_id }) => error.with("order_id", json!(order_id)),
            Refusal::Order(OrderError::IllegalMove { states, .. }) => error.with("allowed", json!(states.allowed())),
            _ => error,
        }
    }
}

/// Status, code and title of every refusal.
fn classify_refusal(refusal: &Refusal) -> (StatusCode, &'static str, &'static str) {
    const BAD_REQUEST: StatusCode = StatusCode::BAD_REQUEST;
    const NOT_FOUND: StatusCode = StatusCode::NOT_FOUND;
    const CONFLICT: StatusCode = StatusCode::CONFLICT;
    match refusal {
        Refusal::Account(error) => match error {
            AccountError::NotFound => (NOT_FOUND, "account_not_found", "Account not found"),
            AccountError::AlreadyOpen => (CONFLICT, "account_exists", "Account already exists"),
            AccountError::RoleDoesNotFit => (CONFLICT, "role_does_not_fit", "Role does not fit the account"),
            AccountError::Disabled => (CONFLICT, "account_disabled", "Account disabled"),
            AccountError::KeyExceedsAccount => (CONFLICT, "key_exceeds_account", "API key role exceeds account role"),
            AccountError::KeyNotFound => (NOT_FOUND, "key_not_found", "API key not found"),
            AccountError::KeyExists => (CONFLICT, "key_exists", "API key already exists"),
            AccountError::TooManyKeys => (CONFLICT, "too_many_keys", "Too many API keys"),
        },
        Refusal::Cart(error) => match error {
            CartError::NotFound => (NOT_FOUND, "cart_not_found", "Cart not found"),
            CartError::ItemNotFound => (NOT_FOUND, "item_not_found", "Item not found"),
            CartError::AlreadyExists => (CONFLICT, "cart_exists", "Cart already exists"),
            CartError::Empty => (CONFLICT, "cart_empty", "Cart is empty"),
            CartError::AlreadyCheckedOut { .. } => (CONFLICT, "cart_already_checked_out", "Cart already checked out"),
            CartError::TooManyItems => (CONFLICT, "too_many_items", "Too many items"),
            CartError::TooManyUnits => (CONFLICT, "too_many_units", "Too many units"),
        },
        Refusal::Category(error) => match error {
            CategoryError::NotFound => (NOT_FOUND, "category_not_found", "Category not found"),
            CategoryError::AlreadyExists => (CONFLICT, "category_exists", "Category already exists"),
            CategoryError::HasProducts { .. } => (CONFLICT, "category_has_products", "Category has products"),
        },
        Refusal::Claim(ClaimError::Taken { .. }) => (CONFLICT, "name_taken", "Name taken"),
        Refusal::Customer(error) => match error {
            CustomerError::NotFound => (NOT_FOUND, "customer_not_found", "Customer not found"),
            CustomerError::AddressNotFound(_) => (NOT_FOUND, "address_not_found", "Address not found"),
            CustomerError::TooManyAddresses => (CONFLICT, "too_many_addresses", "Too many addresses"),
            CustomerError::AlreadyRegistered => (CONFLICT, "customer_exists", "Customer already exists"),
        },
        Refusal::Discount(error) => match error {
            DiscountError::NotFound => (NOT_FOUND, "discount_not_found", "Discount not found"),
            DiscountError::AlreadyExists => (CONFLICT, "discount_exists", "Discount already exists"),
            DiscountError::NothingGiven => (BAD_REQUEST, "discount_gives_nothing", "Discount reduces nothing"),
            DiscountError::NeverValid => (BAD_REQUEST, "discount_never_valid", "Discount is never valid"),
            DiscountError::Ended => (CONFLICT, "discount_ended", "Discount ended"),
            DiscountError::NotYetValid { .. } => (CONFLICT, "discount_not_yet_valid", "Discount not yet valid"),
            DiscountError::Expired { .. } => (CONFLICT, "discount_expired", "Discount expired"),
            DiscountError::UsedUp => (CONFLICT, "discount_used_up", "Discount used up"),
            DiscountError::UsedUpByCustomer => {
                (CONFLICT, "discount_used_up_by_customer", "Discount used up by this customer")
            }
            DiscountError::NeedsCustomer => (CONFLICT, "discount_needs_customer", "Discount is for customers only"),
            DiscountError::BelowMinimum { .. } => {
                (CONFLICT, "discount_below_minimum", "Order below the discount's minimum")
            }
        },
        Refusal::Order(error) => match error {
            OrderError::NotFound => (NOT_FOUND, "order_not_found", "Order not found"),
            OrderError::AlreadyPlaced => (CONFLICT, "order_exists", "Order already exists"),
            OrderError::NoLines => (BAD_REQUEST, "order_without_lines", "Order without lines"),
            OrderError::TooManyLines => (BAD_REQUEST, "too_many_lines", "Too many lines"),
            OrderError::TotalTooLarge => (BAD_REQUEST, "total_too_large", "Total too large"),
            OrderError::IllegalMove { .. } => (CONFLICT, "illegal_move", "Move not allowed"),
            OrderError::UnknownLine(_) => (BAD_REQUEST, "line_not_found", "Line not found"),
            OrderError::DuplicateLine(_) => (BAD_REQUEST, "line_named_twice", "Line given twice"),
            OrderError::TooManyUnits { .. } => (CONFLICT, "too_many_units", "Too many units"),
            OrderError::NothingToShip => (CONFLICT, "nothing_to_ship", "Nothing to ship"),
            OrderError::UnknownShipment(_) => (NOT_FOUND, "shipment_not_found", "Shipment not found"),
            OrderError::AlreadyDelivered(_) => (CONFLICT, "already_delivered", "Already delivered"),
            OrderError::NotPaid => (CONFLICT, "not_paid", "Not paid"),
            OrderError::NothingDue => (CONFLICT, "nothing_due", "Nothing due"),
            OrderError::PaymentPending => (CONFLICT, "payment_under_way", "Payment in progress"),
            OrderError::RefundTooLarge { .. } => (CONFLICT, "refund_too_large", "Refund too large"),
            OrderError::NoProvider => (BAD_REQUEST, "not_an_online_method", "Not an online method"),
            OrderError::PaidByOtherAttempt => (CONFLICT, "paid_otherwise", "Paid by another method"),
            OrderError::UnknownAttempt(_) => (NOT_FOUND, "attempt_not_found", "Payment attempt not found"),
            OrderError::HasCustomer(_) => (CONFLICT, "order_of_customer", "Order belongs to a customer"),
            OrderError::UnknownRefund(_) => (NOT_FOUND, "refund_not_found", "Refund not found"),
        },
        Refusal::Pricing(error) => match error {
            PricingError::TooManyRows => (BAD_REQUEST, "too_many_rows", "Too many rows"),
            PricingError::DuplicateFee { .. } => (BAD_REQUEST, "fee_twice", "Shipping fee given twice"),
            PricingError::DuplicateRate { .. } => (BAD_REQUEST, "rate_twice", "Tax rate given twice"),
        },
        Refusal::Product(error) | Refusal::Unavailable { error, .. } => match error {
            ProductError::NotFound => (NOT_FOUND, "product_not_found", "Product not found"),
            ProductError::AlreadyExists => (CONFLICT, "product_exists", "Product already exists"),
            ProductError::Discontinued => (CONFLICT, "product_discontinued", "Product discontinued"),
            ProductError::Ordered => (CONFLICT, "product_ordered", "Product was ordered"),
            ProductError::OutOfStock { .. } => (CONFLICT, "out_of_stock", "Out of stock"),
            ProductError::BelowReserved { .. } => (CONFLICT, "below_reserved", "Stock below reserved units"),
            ProductError::TooManyUnits => (BAD_REQUEST, "too_many_units", "Too many units"),
            ProductError::NoChange => (BAD_REQUEST, "no_change", "No change"),
            ProductError::NegativeCount => (BAD_REQUEST, "negative_count", "Negative count"),
        },
        Refusal::Webhook(error) => match error {
            WebhookError::NotFound => (NOT_FOUND, "webhook_not_found", "Webhook not found"),
            WebhookError::AlreadyExists => (CONFLICT, "webhook_exists", "Webhook already exists"),
        },
        Refusal::OutOfStock(_) => (CONFLICT, "out_of_stock", "Out of stock"),
        Refusal::CategoryNameTaken(_) => (CONFLICT, "category_name_taken", "Category name taken"),
        Refusal::SkuTaken(_) => (CONFLICT, "sku_taken", "SKU taken"),
        Refusal::LinkInvalid => (BAD_REQUEST, "link_invalid", "Link is invalid"),
        Refusal::EmailTaken => (CONFLICT, "email_taken", "E-mail taken"),
        Refusal::AddressChanged => (CONFLICT, "address_changed", "Address changed"),
        Refusal::UnknownCategory(_) => (NOT_FOUND, "category_not_found", "Category not found"),
        Refusal::UnknownCustomer(_) => (NOT_FOUND, "customer_not_found", "Customer not found"),
        Refusal::PlacedInTheFuture => (BAD_REQUEST, "placed_in_the_future", "Placed in the future"),
        Refusal::PlacedTooEarly => (BAD_REQUEST, "placed_too_early", "Placed before the shop's first day"),
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
            CommandError::Unavailable(reason) => {
                tracing::warn!(%reason, "a command failed because the database is unavailable");
                Self::unavailable("database_unavailable", "the database is unavailable; nothing was changed")
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
            DatabaseFailure::MissingTable => {
                Self::unavailable("projection_missing", "the read table is still being built")
            }
            // It came with the request.
            DatabaseFailure::InvalidValue => {
                tracing::debug!(%error, "a query was given a value that the database refuses");
                Self::invalid_field("request", "has a value that cannot be stored or compared")
            }
            failure if failure.is_transient() => {
                tracing::warn!(%error, "a query failed because the database is unavailable");
                Self::unavailable("database_unavailable", "the database is unavailable")
            }
            _ => internal(&error),
        }
    }
}

/// A 500: the log has the reason, the response has none.
fn internal(reason: &dyn std::fmt::Display) -> ApiError {
    tracing::error!(%reason, "a request failed");
    let detail = "internal error; details are in the log";
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error", detail)
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut problem = json!({
            "type": "about:blank",
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
            "code": self.code,
            "error": self.title,
        });
        for (name, value) in self.members {
            problem[name] = value;
        }
        let mut response = (self.status, Json(problem)).into_response();
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
        response
    }
}
