//! Payment methods, and notifications of payment providers, which authenticate with a signature.

use std::borrow::Cow;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, json};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::account::Role;
use crate::domain::order::{PaymentMethod, PaymentToken};
use crate::http::App;
use crate::http::edge::client_address::ClientAddress;
use crate::http::wire::body::{self, FromObject, body};
use crate::http::wire::error::{ApiError, FieldError, Problem};
use crate::http::wire::input::{InputErrors, UNKNOWN_FIELD};
use crate::http::wire::schema::{string, words};
use crate::journal::Actor;
use crate::payments::{Instrument, Notification, NotificationError, PaymentReactor};
use crate::shop::BuyerTerms;

/// `{"method": "card", "token": "pm_…"}` or `{"method": "test", "card_number": "4242…"}`.
#[derive(Clone, Debug)]
pub struct InstrumentField(Instrument);

body! {
    /// The fields of a card or test card. Their errors name no value, because it may be a card number.
    pub struct InstrumentFields {
        pub method: String,
        pub token: Option<String>,
        pub card_number: Option<String>,
    }
}

impl<'de> Deserialize<'de> for InstrumentField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = InstrumentFields::from_object(Map::deserialize(deserializer)?);
        let InstrumentFields { method, token, card_number } = read.map_err(|mut errors| {
            for error in errors.iter_mut().filter(|error| error.message == UNKNOWN_FIELD) {
                // The name of an unknown field may be a card number too.
                error.field.clear();
                "has a field that is not method, token or card_number".clone_into(&mut error.message);
            }
            InputErrors::nested(errors)
        })?;
        let read = match (method.as_str(), token, card_number) {
            ("card", Some(token), None) => Instrument::card(&token).map_err(|error| ("token", error.to_string())),
            ("card", None, _) => Err(("token", "is required for method card".to_owned())),
            ("card", Some(_), Some(_)) => Err(("card_number", "must be absent for method card".to_owned())),
            ("test", None, Some(number)) => {
                Instrument::test(&number).map_err(|error| ("card_number", error.to_string()))
            }
            ("test", _, None) => Err(("card_number", "is required for method test".to_owned())),
            ("test", Some(_), Some(_)) => Err(("token", "must be absent for method test".to_owned())),
            _ => Err(("method", "must be one of card, test".to_owned())),
        };
        read.map(Self)
            .map_err(|(field, message)| InputErrors::nested(vec![FieldError { field: field.to_owned(), message }]))
    }
}

impl InstrumentField {
    fn method(&self) -> PaymentMethod {
        match self.0 {
            Instrument::Card(_) => PaymentMethod::Card,
            Instrument::Test(_) => PaymentMethod::Test,
        }
    }
}

impl PartialSchema for InstrumentField {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some("A card by its provider token, or a documented test card number."))
            .property("method", words("The payment method.", ["card", "test"]))
            .required("method")
            .property(
                "token",
                string("For `card`: the provider's token, such as pm_1NXWPnA2eZvKYlo2.").max_length(Some(250)),
            )
            .property("card_number", string("For `test`: a test card number, never a real one.").max_length(Some(30)))
            .examples([json!({ "method": "test", "card_number": "4242424242424242" })])
            .build()
            .into()
    }
}

impl ToSchema for InstrumentField {
    fn name() -> Cow<'static, str> {
        "PaymentInstrument".into()
    }
}

impl App {
    /// The payment methods that buyers are offered: allowed by the operator, and with a provider if they need one.
    pub(super) fn offered_methods(&self, to_guest: bool) -> Vec<PaymentMethod> {
        let is_set_up =
            |method: PaymentMethod| !method.is_online() || self.payments.provider(method.as_str()).is_some();
        let methods = [PaymentMethod::Invoice, PaymentMethod::Card, PaymentMethod::Test].into_iter();
        methods.filter(|method| is_set_up(*method) && self.payment_policy.offers(*method, to_guest)).collect()
    }

    /// The buyer behind a request; `None` for staff, whom the payment rules do not bind.
    pub(super) fn buyer(&self, actor: &Actor, as_guest: bool, client: Option<ClientAddress>) -> Option<BuyerTerms> {
        let is_staff = actor.role != Role::Customer.as_str() && actor.role != "guest";
        let network = client.map(|client| client.rate_limit_unit().to_string());
        let unpaid_units = self.payment_policy.unpaid_units;
        (!is_staff).then(|| BuyerTerms { offered: self.offered_methods(as_guest), network, unpaid_units })
    }

    /// The method and token to charge; `None` for a method without a provider.
    pub(super) fn instrument(
        &self,
        method: Option<PaymentMethod>,
        instrument: Option<InstrumentField>,
    ) -> Result<Option<(PaymentMethod, PaymentToken)>, ApiError> {
        let Some(instrument) = instrument else {
            return match method {
                Some(method) if method.is_online() => {
                    Err(ApiError::invalid_field("payment", "is required for this method"))
                }
                _ => Ok(None),
            };
        };
        let chosen = instrument.method();
        if method.is_some_and(|method| method != chosen) {
            return Err(ApiError::invalid_field("payment.method", "must be the method of the order"));
        }
        if self.payments.provider(chosen.as_str()).is_none() {
            let detail = format!("payment method {} is not set up", chosen.as_str());
            return Err(ApiError::new(
                StatusCode::CONFLICT,
                "payment_method_unavailable",
                "Payment method unavailable",
                detail,
            ));
        }
        Ok(Some((chosen, instrument.0.token())))
    }
}

/// A payment method.
#[derive(Serialize, ToSchema)]
pub struct Method {
    /// Value for `payment_method` of a checkout.
    pub method: PaymentMethod,
    /// Whether a provider charges a card, so that a checkout needs `payment`.
    pub online: bool,
    /// Whether guests may use it.
    pub guests: bool,
    /// Currency of all prices: three letters of ISO 4217.
    pub currency: String,
}

/// List the payment methods that buyers are offered
#[utoipa::path(get, path = "/payment-methods", tag = "payments", security(()),
    responses((status = 200, body = Vec<Method>)))]
pub async fn list_payment_methods(State(app): State<App>) -> Json<Vec<Method>> {
    let for_guests = app.offered_methods(true);
    let currency = app.payments.currency.code().to_owned();
    let methods = app.offered_methods(false).into_iter().map(|method| Method {
        method,
        online: method.is_online(),
        guests: for_guests.contains(&method),
        currency: currency.clone(),
    });
    Json(methods.collect())
}

/// Receive a signed notification of the card provider
///
/// `Stripe-Signature: t=…,v1=…` signs the time and the body. The shop then fetches the payment from the provider, so
/// repeated, late or reordered notifications do no harm.
#[utoipa::path(post, path = "/payments/webhook", tag = "payments", security(()),
    request_body(content = Object, content_type = "application/json", example = json!({
        "type": "payment_intent.succeeded", "data": { "object": { "id": "pi_3MtwBwLkdIwHu7ix" } }
    })),
    params(("Stripe-Signature" = Option<String>, Header, description = "`t=<seconds>,v1=<HMAC-SHA256, in hexadecimal>`")),
    responses(
        (status = 204, description = "Accepted; also if the shop does not know the payment"),
        (status = 400, body = Problem), (status = 404, body = Problem), (status = 413, body = Problem),
        (status = 503, body = Problem),
    ))]
pub async fn receive_payment_notification(
    State(app): State<App>,
    headers: HeaderMap,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let signature = headers.get("stripe-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let bytes = body::read_bytes(request, &app).await?;
    match app
        .payments
        .read_notification(signature, &bytes, app.journal.clock().database_time())
        .map_err(notification_error)?
    {
        Notification::Other => {}
        Notification::About(reference) => {
            let reactor = PaymentReactor::new(app.payments.clone(), app.journal.clone(), app.pool.clone());
            reactor.refresh_payment(&reference).await.map_err(|fault| {
                tracing::warn!(reason = fault.reason, "cannot fetch a payment after a notification");
                // The provider sends the notification again.
                ApiError::unavailable("payment_unavailable", "cannot fetch the payment from the provider now")
            })?;
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

fn notification_error(error: NotificationError) -> ApiError {
    let code = match error {
        NotificationError::InvalidSignature => "signature_invalid",
        NotificationError::Expired => "signature_expired",
        NotificationError::Unreadable => {
            return ApiError::invalid_field("body", "is not a notification of the card provider");
        }
        NotificationError::NotConfigured => return ApiError::not_found("payments_not_set_up", "Payments not set up"),
    };
    ApiError::new(StatusCode::BAD_REQUEST, code, "Signature not valid", error.to_string())
}
