//! Request bodies: JSON objects. All fields are checked, so that an error names every invalid field.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_json::{Map, Value};

use crate::http::App;
use crate::http::wire::error::{ApiError, FieldError};
use crate::http::wire::fallbacks;
use crate::http::wire::input::UNKNOWN_FIELD;
use crate::http::wire::json_input::from_json;
use crate::http::wire::snapshot::RouterState;
use crate::json::{Unambiguous, find_inexact_number, without_byte_order_mark};

/// A body that is parsed from a JSON object.
pub trait FromObject: Sized {
    /// The error names every field that is missing, unknown or invalid.
    fn from_object(object: Map<String, Value>) -> Result<Self, Vec<FieldError>>;
}

/// Declares a request body, or an object inside one. Each field is parsed on its own; `Option` fields may be absent or
/// null.
macro_rules! body {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)* }) => {
        #[derive(utoipa::ToSchema)]
        $(#[$meta])*
        pub struct $name { $($(#[$field_meta])* pub $field: $type,)* }

        impl $crate::http::wire::body::FromObject for $name {
            fn from_object(
                mut object: serde_json::Map<String, serde_json::Value>,
            ) -> Result<Self, Vec<$crate::http::wire::error::FieldError>> {
                let mut errors = Vec::new();
                $(let $field = $crate::http::wire::body::take_field::<$type>(&mut object, stringify!($field), &mut errors);)*
                $crate::http::wire::body::refuse_unknown(&object, &mut errors);
                match ($($field,)*) {
                    ($(Some($field),)*) if errors.is_empty() => Ok(Self { $($field,)* }),
                    _ => Err(errors),
                }
            }
        }

        /// Inside another body.
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let object = serde::Deserialize::deserialize(deserializer)?;
                let read = <Self as $crate::http::wire::body::FromObject>::from_object(object);
                read.map_err($crate::http::wire::input::InputErrors::nested)
            }
        }
    };
}
pub(crate) use body;

/// An empty body.
pub struct NoBody;

impl FromObject for NoBody {
    fn from_object(object: Map<String, Value>) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        refuse_unknown(&object, &mut errors);
        if errors.is_empty() { Ok(Self) } else { Err(errors) }
    }
}

/// The body of a request without idempotency key or dry run: not a command of the journal.
pub struct PlainBody<T>(pub T);

impl<T: FromObject> FromRequest<RouterState> for PlainBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &RouterState) -> Result<Self, ApiError> {
        let headers = request.headers().clone();
        parse_body(&headers, &read_bytes(request, app).await?).map(Self)
    }
}

/// The whole body; 413 if it is too long.
pub async fn read_bytes(request: Request, app: &App) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, app).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => fallbacks::payload_too_large(),
        _ => ApiError::invalid_field("body", "did not arrive completely"),
    })
}

/// Parses a body; an empty body counts as an empty object.
pub fn parse_body<T: FromObject>(headers: &HeaderMap, bytes: &[u8]) -> Result<T, ApiError> {
    if bytes.is_empty() {
        return T::from_object(Map::new()).map_err(ApiError::invalid);
    }
    check_content_type(headers)?;
    read_object(bytes)
}

/// Reads a JSON object. A number that the shop would keep as another one is refused.
pub fn read_object<T: FromObject>(bytes: &[u8]) -> Result<T, ApiError> {
    let bytes = without_byte_order_mark(bytes);
    let read = T::from_object(parse_object(bytes)?).map_err(ApiError::invalid)?;
    match find_inexact_number(bytes) {
        None => Ok(read),
        Some(inexact) => Err(ApiError::invalid_field(&*inexact.path, inexact.to_string())),
    }
}

fn parse_object(bytes: &[u8]) -> Result<Map<String, Value>, ApiError> {
    let Unambiguous(value) = serde_json::from_slice(bytes).map_err(|error| invalid_json(bytes, &error))?;
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(ApiError::invalid_field("body", "must be a JSON object")),
    }
}

/// A layer: refuses compressed bodies, which would be read as broken JSON.
pub async fn refuse_encoded_body(request: Request, next: Next) -> Response {
    let encodings = request.headers().get_all(CONTENT_ENCODING).iter();
    let is_identity = |encoding: &HeaderValue| encoding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
    if encodings.into_iter().all(is_identity) {
        return next.run(request).await;
    }
    let detail = "the body must not be compressed; send it without the header Content-Encoding";
    let refused = ApiError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_encoding",
        "Unsupported content encoding",
        detail,
    );
    refused.with_header(ACCEPT_ENCODING, HeaderValue::from_static("identity")).into_response()
}

/// 400 with the place in the body.
fn invalid_json(bytes: &[u8], error: &serde_json::Error) -> ApiError {
    let text = error.to_string();
    let reason = match error.classify() {
        _ if std::str::from_utf8(bytes).is_err() => "the body is not UTF-8",
        Category::Eof => "the body ends inside a JSON value",
        Category::Syntax if text.starts_with("recursion limit") => "the body is nested too deeply",
        Category::Syntax if text.starts_with("number out of range") => "the body has a number that is out of range",
        Category::Data => text.split(" at line ").next().unwrap_or_default(),
        Category::Syntax | Category::Io => "the body is not JSON",
    };
    let detail = format!("{reason}: line {}, column {}", error.line(), error.column());
    ApiError::new(StatusCode::BAD_REQUEST, "invalid_json", "Invalid JSON", detail)
}

fn check_content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json") {
        return Ok(());
    }
    let detail = "the body must be JSON, with the header Content-Type: application/json";
    Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "Unsupported media type", detail))
}

/// Parses a field and removes it from `object`; adds an error if it is missing or invalid.
pub(crate) fn take_field<T: DeserializeOwned>(
    object: &mut Map<String, Value>,
    field: &str,
    errors: &mut Vec<FieldError>,
) -> Option<T> {
    let given = object.remove(field);
    let absent = given.is_none();
    match from_json::<T>(given.unwrap_or(Value::Null)) {
        Ok(value) => Some(value),
        Err(_) if absent => {
            errors.push(FieldError { field: field.to_owned(), message: "is required".to_owned() });
            None
        }
        Err(error) => {
            errors.extend(error.within(field).into_fields());
            None
        }
    }
}

pub(crate) fn refuse_unknown(object: &Map<String, Value>, errors: &mut Vec<FieldError>) {
    for field in object.keys() {
        errors.push(FieldError { field: field.clone(), message: UNKNOWN_FIELD.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::money::Money;
    use crate::domain::text::Name;

    body! {
        pub struct Sample {
            pub name: Name,
            pub price: Money,
            pub note: Option<String>,
        }
    }

    fn errors(value: Value) -> Vec<String> {
        let Value::Object(object) = value else { panic!("not an object") };
        match Sample::from_object(object) {
            Ok(sample) => {
                assert_eq!(
                    (sample.name.as_str(), sample.price.to_string(), sample.note),
                    ("Tea", "1.00".to_owned(), None)
                );
                vec![]
            }
            Err(errors) => errors.into_iter().map(|error| format!("{} {}", error.field, error.message)).collect(),
        }
    }

    #[test]
    fn every_invalid_field_is_named_at_once() {
        assert_eq!(errors(json!({ "name": "Tea", "price": "1.00" })), Vec::<String>::new());
        assert_eq!(errors(json!({ "name": "Tea", "price": "1.00", "note": null })), Vec::<String>::new());
        assert_eq!(
            errors(json!({ "name": "", "price": "-1", "note": 7, "colour": "red" })),
            [
                "name must not be empty",
                "price must not be negative",
                "note must be a string, not a number",
                "colour is not a field of this request"
            ]
        );
        assert_eq!(errors(json!({})), ["name is required", "price is required"]);
    }
}
