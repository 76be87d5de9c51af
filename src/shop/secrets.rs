//! Exposes secrets to the SQL functions that store them, and to nothing else.

use serde::Serializer;

use crate::domain::account::{ApiKeyHash, LinkHash, PasswordHash};
use crate::domain::order::PaymentToken;
use crate::domain::webhook::WebhookSecret;

/// A secret of the domain. None of them implements `Serialize`, so that no event and no answer can hold one.
pub(super) trait HoldsSecret {
    fn text(&self) -> &str;
}

/// Serialises a field of a side write: `#[serde(serialize_with = "expose")]`.
pub(super) fn expose<S: Serializer>(secret: &&impl HoldsSecret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.text())
}

/// As [`expose`]; `None` is null.
pub(super) fn expose_optional<S: Serializer>(
    secret: &Option<&impl HoldsSecret>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match secret {
        Some(secret) => serializer.serialize_str(secret.text()),
        None => serializer.serialize_none(),
    }
}

macro_rules! secrets {
    ($($name:ty),*) => {$(
        impl HoldsSecret for $name {
            fn text(&self) -> &str {
                self.expose()
            }
        }
    )*};
}
secrets!(ApiKeyHash, LinkHash, PasswordHash, PaymentToken, WebhookSecret);
