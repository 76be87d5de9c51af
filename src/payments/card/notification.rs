//! Signed messages: who sent them is proved, and all that is taken from them is which payment to look at.

use aws_lc_rs::hmac;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use super::super::provider::{NoticeError, ProviderSecret};

pub struct NoticeSecret(hmac::Key);

/// How old, or how far ahead, a signature may be.
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// Those that say that something has changed.
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
struct Notice {
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
    /// In charges and refunds.
    payment_intent: Option<String>,
}

impl NoticeSecret {
    pub fn new(secret: &ProviderSecret) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes()))
    }

    /// The payment that a message is about. `signature` is `t=<seconds>,v1=<hex>`, perhaps with further ones.
    pub fn read(&self, signature: &str, body: &[u8], now: DateTime<Utc>) -> Result<Option<String>, NoticeError> {
        self.check(signature, body, now)?;
        let notice: Notice = serde_json::from_slice(body).map_err(|_| NoticeError::Unreadable)?;
        if !KINDS.contains(&notice.kind.as_str()) {
            return Ok(None);
        }
        let Object { id, payment_intent } = notice.data.object;
        Ok(if notice.kind.starts_with("payment_intent.") { Some(id) } else { payment_intent })
    }

    fn check(&self, signature: &str, body: &[u8], now: DateTime<Utc>) -> Result<(), NoticeError> {
        let parts = || signature.split(',').filter_map(|part| part.trim().split_once('='));
        let time = parts().find(|(name, _)| *name == "t").map(|(_, time)| time).ok_or(NoticeError::Forged)?;
        let mut signed = format!("{time}.").into_bytes();
        signed.extend_from_slice(body);
        let mut given = parts().filter(|(name, _)| *name == "v1").filter_map(|(_, tag)| hex::decode(tag).ok());
        // The comparison takes as long for a tag that is nearly right.
        if !given.any(|tag| hmac::verify(&self.0, &signed, &tag).is_ok()) {
            return Err(NoticeError::Forged);
        }
        let seconds = time.parse().map_err(|_| NoticeError::Forged)?;
        let sent_at = DateTime::from_timestamp(seconds, 0).ok_or(NoticeError::Forged)?;
        if (now - sent_at).abs() > TOLERANCE { Err(NoticeError::Stale) } else { Ok(()) }
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

    fn read(signature: &str, body: &str, seconds_later: i64) -> Result<Option<String>, NoticeError> {
        let now = DateTime::from_timestamp(SENT_AT + seconds_later, 0).unwrap();
        NoticeSecret::new(&ProviderSecret::new(SECRET)).read(signature, body.as_bytes(), now)
    }

    fn body(kind: &str, object: serde_json::Value) -> String {
        json!({ "id": "evt_1", "type": kind, "data": { "object": object } }).to_string()
    }

    #[test]
    fn a_good_signature_says_which_payment_to_look_at() {
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
    fn a_key_that_is_being_replaced_signs_beside_the_new_one() {
        let (time, body) = (SENT_AT.to_string(), body("payment_intent.canceled", json!({ "id": "pi_1" })));
        let signature = format!("t={time},v1={},v1={}", sign("old", &time, &body), sign(SECRET, &time, &body));
        assert_eq!(read(&signature, &body, 0), Ok(Some("pi_1".to_owned())));
    }

    #[test]
    fn what_is_not_signed_with_the_secret_over_time_and_body_is_refused() {
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
            assert_eq!(read(&forged, &body, 0), Err(NoticeError::Forged), "{forged}");
        }
        let signature = format!("t={time},v1={good}");
        assert_eq!(read(&signature, &body.replace("pi_1", "pi_2"), 0), Err(NoticeError::Forged));
        for seconds in [301, -301] {
            assert_eq!(read(&signature, &body, seconds), Err(NoticeError::Stale));
        }
        let time_is_none = format!("t=soon,v1={}", sign(SECRET, "soon", &body));
        assert_eq!(read(&time_is_none, &body, 0), Err(NoticeError::Forged));
        let unreadable = format!("t={time},v1={}", sign(SECRET, &time, "{}"));
        assert_eq!(read(&unreadable, "{}", 0), Err(NoticeError::Unreadable));
    }
}
