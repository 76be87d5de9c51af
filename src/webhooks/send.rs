//! Sends one message to a webhook: signed by the Standard Webhooks specification, with timeouts and bounded reads.

use std::error::Error;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use serde_json::json;
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};

use super::endpoint::{Endpoint, PrivateAddress, PublicResolver};
use crate::domain::webhook::WebhookSecret;
use crate::journal::{LogIdentity, StreamPosition};
use crate::reactors::{Failure, RecordedEvent};

/// An HTTP client for webhooks. It reuses connections.
pub(super) struct WebhookSender {
    client: Client,
    private_allowed: bool,
}

/// The result of an attempt.
pub(super) struct DeliveryAttempt {
    /// Status of the response, if there was one.
    pub status: Option<StatusCode>,
    pub outcome: Result<(), Failure>,
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For the whole exchange, including the response.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(15);
/// How much of a response is read, in bytes. The content is ignored, but a connection whose response is read can be
/// reused.
const RESPONSE_READ_LIMIT: usize = 64 * 1024;
/// The longest `Retry-After` that is honoured.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

impl WebhookSender {
    pub fn new(private_allowed: bool) -> Result<Self, reqwest::Error> {
        let client = || {
            let client = Client::builder()
                .user_agent(concat!("Cartwright/", env!("CARGO_PKG_VERSION")))
                .redirect(Policy::none())
                // A proxy would resolve names itself and bypass the check of the address.
                .no_proxy()
                .connect_timeout(CONNECT_TIMEOUT)
                .timeout(RESPONSE_TIMEOUT);
            if private_allowed { client } else { client.dns_resolver(PublicResolver) }
        };
        let client = client().build().or_else(|error| {
            // The shop must start all the same. Only deliveries over https fail; they are retried, perhaps by another
            // node.
            tracing::warn!(?error, "found no certificate authorities; deliveries to https webhooks will fail");
            client().tls_certs_only([]).build()
        });
        Ok(Self { client: client?, private_allowed })
    }

    /// Sends an event at `now`, signed with each of the secrets.
    pub async fn send(
        &self,
        endpoint: &Endpoint,
        secrets: &[WebhookSecret],
        event: &RecordedEvent,
        log: LogIdentity,
        now: DateTime<Utc>,
    ) -> DeliveryAttempt {
        if !self.private_allowed && endpoint.check_literal_address().is_err() {
            return DeliveryAttempt { status: None, outcome: Err(Failure::Park(PrivateAddress.to_string())) };
        }
        let Some((body, headers)) = signed_message(secrets, event, log, now) else {
            return DeliveryAttempt {
                status: None,
                outcome: Err(Failure::Park("cannot sign the message: invalid secret".to_owned())),
            };
        };
        let request = self.client.post(endpoint.url()).headers(headers).body(body);
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => return DeliveryAttempt { status: None, outcome: Err(classify_error(&error)) },
        };
        let (status, wait) = (response.status(), retry_after(response.headers(), now));
        let mut read = 0;
        while let Ok(Some(chunk)) = response.chunk().await {
            read += chunk.len();
            if read > RESPONSE_READ_LIMIT {
                break;
            }
        }
        DeliveryAttempt { status: Some(status), outcome: classify_response(status, wait) }
    }
}

/// The body and headers of a message.
fn signed_message(
    secrets: &[WebhookSecret],
    event: &RecordedEvent,
    log: LogIdentity,
    now: DateTime<Utc>,
) -> Option<(String, HeaderMap)> {
    let body = json!({
        "type": event.event_type,
        "timestamp": event.recorded_at,
        "data": {
            "id": StreamPosition::of(log.generation, event.position),
            "log_id": log.log_id,
            "generation": log.generation,
            "position": event.position,
            "aggregate_type": event.aggregate_type,
            "aggregate_id": event.aggregate_id,
            "sequence": event.sequence,
            "payload": event.payload,
        },
    });
    let (body, id, timestamp) = (body.to_string(), event.event_id.to_string(), now.timestamp());
    let sign = |secret: &WebhookSecret| Webhook::new(secret.expose()).ok()?.sign(&id, timestamp, body.as_bytes()).ok();
    let signatures = secrets.iter().map(sign).collect::<Option<Vec<_>>>()?.join(" ");
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, "application/json".parse().ok()?);
    headers.insert(HEADER_WEBHOOK_ID, id.parse().ok()?);
    headers.insert(HEADER_WEBHOOK_TIMESTAMP, timestamp.into());
    headers.insert(HEADER_WEBHOOK_SIGNATURE, signatures.parse().ok()?);
    Some((body, headers))
}

/// Classifies a transport error. The reason does not contain the URL, which may hold a secret.
fn classify_error(error: &reqwest::Error) -> Failure {
    let mut cause: Option<&dyn Error> = Some(error);
    while let Some(error) = cause {
        if error.is::<PrivateAddress>() {
            return Failure::Park(PrivateAddress.to_string());
        }
        cause = error.source();
    }
    let reason = if error.is_connect() {
        "cannot connect"
    } else if error.is_timeout() {
        "no response in time"
    } else {
        "connection lost before the response"
    };
    Failure::Retry(reason.to_owned())
}

/// Success is any 2xx. 410 parks the reaction; everything else is retried.
fn classify_response(status: StatusCode, retry_after: Option<Duration>) -> Result<(), Failure> {
    if status.is_success() {
        return Ok(());
    }
    let reason = format!("returned {}", status.as_u16());
    match (status, retry_after) {
        (StatusCode::GONE, _) => Err(Failure::Park(reason)),
        (StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, Some(retry_after)) => {
            Err(Failure::RetryAfter(reason, retry_after))
        }
        _ => Err(Failure::Retry(reason)),
    }
}

/// The delay that a `Retry-After` header asks for, as seconds or as a time.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let delay = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => (DateTime::parse_from_rfc2822(text).ok()?.to_utc() - now).to_std().ok()?,
    };
    Some(delay.min(LONGEST_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_decides_between_success_retry_and_parking() {
        let minute = Some(Duration::from_secs(60));
        let classified =
            |status: u16, retry_after| classify_response(StatusCode::from_u16(status).unwrap(), retry_after);
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(classified(status, minute), Ok(()));
        }
        for status in [301, 302, 400, 401, 404, 500, 502] {
            assert_eq!(classified(status, minute), Err(Failure::Retry(format!("returned {status}"))));
        }
        for status in [429, 503] {
            let reason = format!("returned {status}");
            assert_eq!(classified(status, None), Err(Failure::Retry(reason.clone())));
            assert_eq!(classified(status, minute), Err(Failure::RetryAfter(reason, Duration::from_secs(60))));
        }
        assert_eq!(classified(410, None), Err(Failure::Park("returned 410".to_owned())));
    }

    #[test]
    fn retry_after_is_seconds_or_a_time_and_bounded() {
        let now: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        let parsed = |text: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            retry_after(&headers, now).map(|retry_after| retry_after.as_secs())
        };
        assert_eq!(parsed("120"), Some(120));
        assert_eq!(parsed("Thu, 01 Jan 2026 00:00:30 GMT"), Some(30));
        assert_eq!(parsed("Wed, 31 Dec 2025 00:00:30 GMT"), None);
        assert_eq!(parsed("99999999999"), Some(3_600));
        assert_eq!(parsed("soon"), None);
        assert_eq!(parsed("-1"), None);
    }
}
