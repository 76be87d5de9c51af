//! Signed notifications of the provider: verifies the sender, and reads which payment has changed, nothing else.

use aws_lc_rs::hmac;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use super::super::provider::{NotificationError, ProviderSecret};

/// The key that signatures are verified with.
pub struct NotificationSecret(hmac::Key);

/// The greatest difference between a signature's time and now.
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// Notifications about a changed payment.
const KINDS: [&str; 8] = [
    "payment_intent.amount_capturable_updated",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "charge.refunded",
    "charge.refund.updated",
    "refund.updated",
    "refund.failed",
];

#[derive(Deserialize)]
struct CardNotification {
    #[serde(rename = "type")]
    kind: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    id: String,
    /// Present in charges and refunds.
    payment_intent: Option<String>,
}

impl NotificationSecret {
    pub fn new(secret: &ProviderSecret) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes()))
    }

    /// The payment that a notification is about. `signature` is `t=<seconds>,v1=<hex>`, and may have further parts.
    pub fn read(&self, signature: &str, body: &[u8], now: DateTime<Utc>) -> Result<Option<String>, NotificationError> {
        self.verify_signature(signature, body, now)?;
        let notification: CardNotification = serde_json::from_slice(body).map_err(|_| NotificationError::Unreadable)?;
        if !KINDS.contains(&notification.kind.as_str()) {
            return Ok(None);
        }
        let Object { id, payment_intent } = notification.data.object;
        Ok(if notification.kind.starts_with("payment_intent.") { Some(id) } else { payment_intent })
    }

    fn verify_signature(&self, signature: &str, body: &[u8], now: DateTime<Utc>) -> Result<(), NotificationError> {
        let parts = || signature.split(',').filter_map(|part| part.trim().split_once('='));
        let time =
            parts().find(|(name, _)| *name == "t").map(|(_, time)| time).ok_or(NotificationError::InvalidSignature)?;
        let mut signed = format!("{time}.").into_bytes();
        signed.extend_from_slice(body);
        let mut given = parts().filter(|(name, _)| *name == "v1").filter_map(|(_, tag)| hex::decode(tag).ok());
        // `verify` compares in constant time.
        if !given.any(|tag| hmac::verify(&self.0, &signed, &tag).is_ok()) {
            return Err(NotificationError::InvalidSignature);
        }
        let seconds = time.parse().map_err(|_| NotificationError::InvalidSignature)?;
        let sent_at = DateTime::from_timestamp(seconds, 0).ok_or(NotificationError::InvalidSignature)?;
        if (now - sent_at).abs() > TOLERANCE { Err(NotificationError::Expired) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SECRET: &str = "whsec_of_tests";
    const SENT_AT: i64 = 1_700_000_000;

    fn sign(secret: &str, time: &str, body: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        hex::encode(hmac::sign(&key, format!("{time}.{body}").as_bytes()))
    }

    fn read(signature: &str, body: &str, seconds_later: i64) -> Result<Option<String>, NotificationError> {
        let now = DateTime::from_timestamp(SENT_AT + seconds_later, 0).unwrap();
        NotificationSecret::new(&ProviderSecret::new(SECRET)).read(signature, body.as_bytes(), now)
    }

    fn body(kind: &str, object: serde_json::Value) -> String {
        json!({ "id": "evt_1", "type": kind, "data": { "object": object } }).to_string()
    }

    #[test]
    fn a_signed_notification_names_the_changed_payment() {
        let time = SENT_AT.to_string();
        for (kind, object, expected) in [
            ("payment_intent.succeeded", json!({ "id": "pi_1", "object": "payment_intent" }), Some("pi_1")),
            ("charge.refunded", json!({ "id": "ch_1", "payment_intent": "pi_2" }), Some("pi_2")),
            ("refund.updated", json!({ "id": "re_1", "payment_intent": null }), None),
            ("customer.created", json!({ "id": "cus_1" }), None),
        ] {
            let body = body(kind, object);
            let signature = format!("t={time},v0=00,v1={}", sign(SECRET, &time, &body));
            assert_eq!(read(&signature, &body, 299), Ok(expected.map(str::to_owned)), "{kind}");
        }
    }

    #[test]
    fn one_valid_signature_of_several_is_enough() {
        let (time, body) = (SENT_AT.to_string(), body("payment_intent.canceled", json!({ "id": "pi_1" })));
        let signature = format!("t={time},v1={},v1={}", sign("old", &time, &body), sign(SECRET, &time, &body));
        assert_eq!(read(&signature, &body, 0), Ok(Some("pi_1".to_owned())));
    }

    #[test]
    fn a_signature_must_cover_time_and_body() {
        let (time, body) = (SENT_AT.to_string(), body("payment_intent.canceled", json!({ "id": "pi_1" })));
        let good = sign(SECRET, &time, &body);
        for forged in [
            String::new(),
            good.clone(),
            format!("v1={good}"),
            format!("t={time}"),
            format!("t={time},v1="),
            format!("t={time},v1=xyz"),
            format!("t={time},v0={good}"),
            format!("t={},v1={good}", SENT_AT + 1),
            format!("t={time},v1={}", sign("another", &time, &body)),
            format!("t={time},v1={}", &good[..62]),
        ] {
            assert_eq!(read(&forged, &body, 0), Err(NotificationError::InvalidSignature), "{forged}");
        }
        let signature = format!("t={time},v1={good}");
        assert_eq!(read(&signature, &body.replace("pi_1", "pi_2"), 0), Err(NotificationError::InvalidSignature));
        for seconds in [301, -301] {
            assert_eq!(read(&signature, &body, seconds), Err(NotificationError::Expired));
        }
        let time_is_none = format!("t=soon,v1={}", sign(SECRET, "soon", &body));
        assert_eq!(read(&time_is_none, &body, 0), Err(NotificationError::InvalidSignature));
        let unreadable = format!("t={time},v1={}", sign(SECRET, &time, "{}"));
        assert_eq!(read(&unreadable, "{}", 0), Err(NotificationError::Unreadable));
    }
}
