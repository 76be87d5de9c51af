//! What providers of payments say. They hold no account: their signature lets them in.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};

use super::Shop;
use super::body;
use super::error::{ApiError, Problem};
use crate::payments::{Notice, NoticeError};

/// Takes a signed message of the card provider: `Stripe-Signature: t=…,v1=…` over the time and the body. It is only a
/// reason to look at the payment that it names, so it does no harm twice, late, or out of order.
#[utoipa::path(post, path = "/payments/webhook", tag = "payments", security(()),
    request_body(content = Object, content_type = "application/json"),
    params(("Stripe-Signature" = Option<String>, Header, description = "`t=<seconds>,v1=<HMAC-SHA256, in hexadecimal>`")),
    responses(
        (status = 204, description = "It was taken, or is about nothing that the shop knows"),
        (status = 400, body = Problem), (status = 404, body = Problem), (status = 413, body = Problem),
        (status = 503, body = Problem),
    ))]
pub async fn take_notice(
    State(shop): State<Shop>,
    headers: HeaderMap,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let signature = headers.get("stripe-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let bytes = body::take_bytes(request, &shop).await?;
    match shop.payments.read_notice(signature, &bytes, chrono::Utc::now()).map_err(refuse)? {
        Notice::About(reference) => tracing::debug!(%reference, "a payment has changed"),
        Notice::Other => {}
    }
    Ok(StatusCode::NO_CONTENT)
}

fn refuse(error: NoticeError) -> ApiError {
    let code = match error {
        NoticeError::Forged => "signature_invalid",
        NoticeError::Stale => "signature_expired",
        NoticeError::Unreadable => return ApiError::invalid_field("body", "is no message of the card provider"),
        NoticeError::NotTaken => return ApiError::not_found("payments_not_set_up", "Payments not set up"),
    };
    ApiError::new(StatusCode::BAD_REQUEST, code, "Signature not valid", error.to_string())
}
