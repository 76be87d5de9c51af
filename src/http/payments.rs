//! What orders are paid with, and what providers of payments say. Those hold no account: their signature lets them in.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::Object;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};

use crate::domain::order::{PaymentMethod, PaymentToken};
use crate::http::App;
use crate::http::wire::body;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::openapi::words;
use crate::payments::{Instrument, Notification, NotificationError, PaymentReactor};

/// `{"method": "card", "token": "pm_…"}` or `{"method": "test", "card_number": "4242…"}`.
#[derive(Clone, Debug)]
pub struct Choice(Instrument);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChoiceFields {
    method: String,
    token: Option<String>,
    card_number: Option<String>,
}

impl<'de> Deserialize<'de> for Choice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // What is wrong is not named, because it may be the number of a card.
        let wrong = |_| D::Error::custom("must have a method and a token or card_number, all of them texts");
        let fields = ChoiceFields::deserialize(Value::deserialize(deserializer)?);
        let ChoiceFields { method, token, card_number } = fields.map_err(wrong)?;
        let read = match (method.as_str(), token, card_number) {
            ("card", Some(token), None) => Instrument::card(&token).map_err(|error| format!("token {error}")),
            ("test", None, Some(number)) => Instrument::test(&number).map_err(|error| format!("card_number {error}")),
            ("card", ..) => Err("a card is named by a token, and by nothing else".to_owned()),
            ("test", ..) => Err("a test is made with a card_number, and with nothing else".to_owned()),
            _ => Err("method must be card or test".to_owned()),
        };
        read.map(Self).map_err(D::Error::custom)
    }
}

impl Choice {
    fn method(&self) -> PaymentMethod {
        match self.0 {
            Instrument::Card(_) => PaymentMethod::Card,
            Instrument::Test(_) => PaymentMethod::Test,
        }
    }
}

/// The choice, for OpenAPI.
pub fn choice() -> Object {
    let text = |meaning: &str, length: usize| {
        ObjectBuilder::new().schema_type(Type::String).max_length(Some(length)).description(Some(meaning))
    };
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Object, Type::Null]))
        .description(Some("What an order is paid with at once: a card, or a documented number for tests."))
        .property("method", words(["card", "test"]))
        .required("method")
        .property("token", text("Of a card: what the provider gave for it, such as pm_1NXWPnA2eZvKYlo2.", 250))
        .property("card_number", text("Of a test: never the number of a card that exists.", 30))
        .examples([json!({ "method": "test", "card_number": "4242424242424242" })])
        .build()
}

impl App {
    /// What a method that a provider stands behind is to be shown. Another method needs nothing.
    pub(super) fn instrument(
        &self,
        method: Option<PaymentMethod>,
        choice: Option<Choice>,
    ) -> Result<Option<(PaymentMethod, PaymentToken)>, ApiError> {
        let Some(choice) = choice else {
            return match method {
                Some(method) if method.is_online() => {
                    Err(ApiError::invalid_field("payment", "is required, to pay by this method"))
                }
                _ => Ok(None),
            };
        };
        let chosen = choice.method();
        if method.is_some_and(|method| method != chosen) {
            return Err(ApiError::invalid_field("payment.method", "must be the method of the order"));
        }
        if self.payments.provider(chosen.as_str()).is_none() {
            let detail = format!("payments by {} are not set up", chosen.as_str());
            return Err(ApiError::new(StatusCode::CONFLICT, "payment_method_unavailable", "No such payments", detail));
        }
        Ok(Some((chosen, choice.0.token())))
    }
}

/// A way to pay.
#[derive(Serialize, ToSchema)]
pub struct Method {
    /// What `payment_method` of a checkout may be.
    #[schema(value_type = String, example = "card")]
    pub method: PaymentMethod,
    /// Whether a provider is asked, so that `payment` is needed.
    pub online: bool,
    /// Of all prices: three letters of ISO 4217.
    pub currency: String,
}

/// The ways to pay that are set up
#[utoipa::path(get, path = "/payment-methods", tag = "payments", security(()),
    responses((status = 200, body = Vec<Method>)))]
pub async fn list_methods(State(app): State<App>) -> Json<Vec<Method>> {
    let set_up = |method: &PaymentMethod| !method.is_online() || app.payments.provider(method.as_str()).is_some();
    let methods = [PaymentMethod::Invoice, PaymentMethod::Card, PaymentMethod::Test].into_iter().filter(set_up);
    let currency = app.payments.currency.code().to_owned();
    Json(methods.map(|method| Method { method, online: method.is_online(), currency: currency.clone() }).collect())
}

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
pub async fn take_notice(State(app): State<App>, headers: HeaderMap, request: Request) -> Result<StatusCode, ApiError> {
    let signature = headers.get("stripe-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let bytes = body::take_bytes(request, &app).await?;
    match app.payments.read_notification(signature, &bytes, chrono::Utc::now()).map_err(refuse)? {
        Notification::Other => {}
        Notification::About(reference) => {
            let reactor = PaymentReactor::new(app.payments.clone(), app.journal.clone(), app.pool.clone());
            reactor.refresh_payment(&reference).await.map_err(|fault| {
                tracing::warn!(reason = fault.reason, "a payment that has changed could not be looked at");
                // The provider sends the message again.
                ApiError::unavailable("payment_unavailable", "the payment cannot be looked at now")
            })?;
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

fn refuse(error: NotificationError) -> ApiError {
    let code = match error {
        NotificationError::InvalidSignature => "signature_invalid",
        NotificationError::Expired => "signature_expired",
        NotificationError::Unreadable => return ApiError::invalid_field("body", "is no message of the card provider"),
        NotificationError::NotConfigured => return ApiError::not_found("payments_not_set_up", "Payments not set up"),
    };
    ApiError::new(StatusCode::BAD_REQUEST, code, "Signature not valid", error.to_string())
}
