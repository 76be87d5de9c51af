//! Responses without a handler: unknown paths, panics and the refusals of layers.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::http::wire::error::ApiError;

/// 404 for a path without a route.
pub async fn not_found() -> ApiError {
    ApiError::not_found("not_found", "Not found")
}

/// 500 for a handler that panicked.
pub fn panicked(panic: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let reason = panic.downcast_ref::<&str>().copied().map(str::to_owned);
    let reason = reason.or_else(|| panic.downcast_ref::<String>().cloned());
    ApiError::internal(reason.unwrap_or_else(|| "panic".to_owned())).into_response()
}

/// Turns the refusal of a layer (timeout, body limit, method) into a problem document.
pub fn into_problem(response: Response) -> Response {
    let described = response.headers().get(CONTENT_TYPE).is_some_and(|kind| {
        let kind = kind.as_bytes();
        kind.starts_with(b"application/") || kind.starts_with(b"text/html")
    });
    if described || !(response.status().is_client_error() || response.status().is_server_error()) {
        return response;
    }
    let error = match response.status() {
        StatusCode::SERVICE_UNAVAILABLE => ApiError::unavailable(
            "timeout",
            "the request timed out; send a command again with the same Idempotency-Key to find out its outcome",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => payload_too_large(),
        status @ StatusCode::METHOD_NOT_ALLOWED => {
            ApiError::new(status, "method_not_allowed", "Method not allowed", "the path does not support this method")
        }
        status => ApiError::new(status, "invalid_request", "Invalid request", status.to_string().to_lowercase()),
    };
    let mut completed = error.into_response();
    // Keeps the headers of other layers, such as `Allow` and the rate limits, and the route of the metrics.
    let (mut layers, _) = response.into_parts();
    layers.headers.remove(CONTENT_LENGTH);
    std::mem::swap(completed.headers_mut(), &mut layers.headers);
    completed.headers_mut().extend(layers.headers);
    std::mem::swap(completed.extensions_mut(), &mut layers.extensions);
    completed
}

pub fn payload_too_large() -> ApiError {
    let detail = "the body is larger than 1 MiB";
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", "Payload too large", detail)
}
