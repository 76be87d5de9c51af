//! One message to a webhook: signed as Standard Webhooks says, and sent with patience that ends.

use std::error::Error;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use serde_json::json;
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};

use super::endpoint::{Endpoint, Private, PublicNames};
use crate::reactors::{Fact, Failure};

/// Sends messages. Its connections are reused.
pub(super) struct Sender {
    client: Client,
    private_allowed: bool,
}

/// What came of an attempt.
pub(super) struct Sent {
    /// Of the answer, if there was one.
    pub status: Option<StatusCode>,
    pub outcome: Result<(), Failure>,
}

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// With the answer.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// How much of an answer is read, in bytes: nothing is done with it, but the connection can be used again.
const ANSWER_READ: usize = 64 * 1024;
/// A webhook that asks for more time than this gets this.
const LONGEST_WISH: Duration = Duration::from_secs(60 * 60);

impl Sender {
    pub fn new(private_allowed: bool) -> Result<Self, reqwest::Error> {
        let client = || {
            let client = Client::builder()
                .user_agent(concat!("Cartwright/", env!("CARGO_PKG_VERSION")))
                .redirect(Policy::none())
                // A proxy would resolve names by itself.
                .no_proxy()
                .connect_timeout(CONNECT_WITHIN)
                .timeout(ANSWER_WITHIN);
            if private_allowed { client } else { client.dns_resolver(PublicNames) }
        };
        let client = client().build().or_else(|error| {
            // A shop sells without: only webhooks at https fail, and are tried again, perhaps by another server.
            tracing::warn!(?error, "no certificate authorities were found: no webhook can be told at https");
            client().tls_certs_only([]).build()
        });
        Ok(Self { client: client?, private_allowed })
    }

    /// Tells of a fact; signed with each of the secrets.
    pub async fn send(&self, endpoint: &Endpoint, secrets: &[&str], fact: &Fact) -> Sent {
        if !self.private_allowed && endpoint.check_number().is_err() {
            return Sent { status: None, outcome: Err(Failure::Park(Private.to_string())) };
        }
        let Some((body, headers)) = message(secrets, fact, Utc::now()) else {
            return Sent { status: None, outcome: Err(Failure::Park("the message cannot be signed".to_owned())) };
        };
        let request = self.client.post(endpoint.url()).headers(headers).body(body);
        let mut answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => return Sent { status: None, outcome: Err(unanswered(&error)) },
        };
        let (status, wish) = (answer.status(), wish(answer.headers(), Utc::now()));
        let mut read = 0;
        while let Ok(Some(chunk)) = answer.chunk().await {
            read += chunk.len();
            if read > ANSWER_READ {
                break;
            }
        }
        Sent { status: Some(status), outcome: judge(status, wish) }
    }
}

/// The body of a message, and its headers.
fn message(secrets: &[&str], fact: &Fact, now: DateTime<Utc>) -> Option<(String, HeaderMap)> {
    let body = json!({
        "type": fact.event_type,
        "timestamp": fact.recorded_at,
        "data": {
            "position": fact.position,
            "aggregate_type": fact.aggregate_type,
            "aggregate_id": fact.aggregate_id,
            "sequence": fact.sequence,
            "payload": fact.payload,
        },
    });
    let (body, id, timestamp) = (body.to_string(), fact.event_id.to_string(), now.timestamp());
    let sign = |secret: &&str| Webhook::new(secret).ok()?.sign(&id, timestamp, body.as_bytes()).ok();
    let signatures = secrets.iter().map(sign).collect::<Option<Vec<_>>>()?.join(" ");
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, "application/json".parse().ok()?);
    headers.insert(HEADER_WEBHOOK_ID, id.parse().ok()?);
    headers.insert(HEADER_WEBHOOK_TIMESTAMP, timestamp.into());
    headers.insert(HEADER_WEBHOOK_SIGNATURE, signatures.parse().ok()?);
    Some((body, headers))
}

/// Why there is no answer, without the URL, which may hold a secret.
fn unanswered(error: &reqwest::Error) -> Failure {
    let mut cause: Option<&dyn Error> = Some(error);
    while let Some(error) = cause {
        if error.is::<Private>() {
            return Failure::Park(Private.to_string());
        }
        cause = error.source();
    }
    let reason = if error.is_connect() {
        "no connection could be made"
    } else if error.is_timeout() {
        "there was no answer in time"
    } else {
        "the connection was lost before there was an answer"
    };
    Failure::Later(reason.to_owned())
}

fn judge(status: StatusCode, wish: Option<Duration>) -> Result<(), Failure> {
    if status.is_success() {
        return Ok(());
    }
    let reason = format!("it answered {}", status.as_u16());
    match (status, wish) {
        (StatusCode::GONE, _) => Err(Failure::Park(reason)),
        (StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, Some(wish)) => {
            Err(Failure::After(reason, wish))
        }
        _ => Err(Failure::Later(reason)),
    }
}

/// How long the webhook wishes to be left alone: in seconds, or until a time.
fn wish(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wish = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => (DateTime::parse_from_rfc2822(text).ok()?.to_utc() - now).to_std().ok()?,
    };
    Some(wish.min(LONGEST_WISH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_as_success_and_when_it_is_tried_again() {
        let minute = Some(Duration::from_secs(60));
        let judged = |status: u16, wish| judge(StatusCode::from_u16(status).unwrap(), wish);
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(judged(status, minute), Ok(()));
        }
        for status in [301, 302, 400, 401, 404, 500, 502] {
            assert_eq!(judged(status, minute), Err(Failure::Later(format!("it answered {status}"))));
        }
        for status in [429, 503] {
            let reason = format!("it answered {status}");
            assert_eq!(judged(status, None), Err(Failure::Later(reason.clone())));
            assert_eq!(judged(status, minute), Err(Failure::After(reason, Duration::from_secs(60))));
        }
        assert_eq!(judged(410, None), Err(Failure::Park("it answered 410".to_owned())));
    }

    #[test]
    fn a_wish_is_in_seconds_or_a_time_and_bounded() {
        let now: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        let wished = |text: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            wish(&headers, now).map(|wish| wish.as_secs())
        };
        assert_eq!(wished("120"), Some(120));
        assert_eq!(wished("Thu, 01 Jan 2026 00:00:30 GMT"), Some(30));
        assert_eq!(wished("Wed, 31 Dec 2025 00:00:30 GMT"), None);
        assert_eq!(wished("99999999999"), Some(3_600));
        assert_eq!(wished("soon"), None);
        assert_eq!(wished("-1"), None);
    }
}
