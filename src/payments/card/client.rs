//! Sends a request to the provider, and tells certain from unknown outcomes.

use std::time::Duration;

use reqwest::{Method, StatusCode, Url, redirect};
use serde::de::DeserializeOwned;

use super::super::provider::{PaymentError, ProviderSecret};
use super::CardConfig;
use super::responses::{ErrorBody, ErrorEnvelope, ProviderResponse};

/// An HTTP client with the provider's URL and API key.
pub struct CardClient {
    http: reqwest::Client,
    url: Url,
    key: ProviderSecret,
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest response that is read, in bytes. A list of a hundred refunds takes some 100 kB.
const RESPONSE_LIMIT: usize = 2 * 1024 * 1024;

impl CardClient {
    pub fn new(config: &CardConfig) -> Result<Self, PaymentError> {
        let http = reqwest::Client::builder()
            .timeout(config.timeout)
            .connect_timeout(CONNECT_TIMEOUT)
            // The API key must not be sent anywhere else.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("cartwright/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| PaymentError::Misconfigured(error.to_string()))?;
        Ok(Self { http, url: config.url.clone(), key: config.key.clone() })
    }

    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        form: &[(&str, String)],
        key: Option<&str>,
    ) -> Result<ProviderResponse<T>, PaymentError> {
        let request = self.request(Method::POST, path)?.form(form);
        Self::send(key.into_iter().fold(request, |request, key| request.header("idempotency-key", key))).await
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<ProviderResponse<T>, PaymentError> {
        Self::send(self.request(Method::GET, path)?).await
    }

    fn request(&self, method: Method, path: &str) -> Result<reqwest::RequestBuilder, PaymentError> {
        let url = self.url.join(path).map_err(|error| PaymentError::Misconfigured(error.to_string()))?;
        Ok(self.http.request(method, url).bearer_auth(self.key.expose()))
    }

    async fn send<T: DeserializeOwned>(request: reqwest::RequestBuilder) -> Result<ProviderResponse<T>, PaymentError> {
        let response = request.send().await.map_err(unknown_outcome)?;
        let status = response.status();
        let body = read_body(response).await?;
        if status.is_success() {
            // The request took effect, but the result is unreadable. The error does not quote it: it may contain a token.
            let unreadable = |_| PaymentError::Unavailable("unreadable response".to_owned());
            return serde_json::from_slice(&body).map(ProviderResponse::Done).map_err(unreadable);
        }
        let ErrorBody { kind, code, decline_code } =
            serde_json::from_slice::<ErrorEnvelope>(&body).unwrap_or_default().error;
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(PaymentError::Misconfigured(format!("the provider returned {status}")))
            }
            // The same key came with another request, which would be a defect.
            _ if kind.as_deref() == Some("idempotency_error") && status != StatusCode::CONFLICT => {
                Err(PaymentError::Misconfigured("an idempotency key was used for two different requests".to_owned()))
            }
            StatusCode::BAD_REQUEST | StatusCode::PAYMENT_REQUIRED | StatusCode::NOT_FOUND => {
                Ok(ProviderResponse::Refused(ErrorBody { kind, code, decline_code }))
            }
            // Also 409 (the first request with the key is in progress), 429, and responses of a proxy.
            _ => Err(PaymentError::Unavailable(format!("the provider returned {status}"))),
        }
    }
}

async fn read_body(mut response: reqwest::Response) -> Result<Vec<u8>, PaymentError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unknown_outcome)? {
        if body.len() + chunk.len() > RESPONSE_LIMIT {
            return Err(PaymentError::Unavailable("response too long".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Describes a transport error, without the URL.
fn unknown_outcome(error: reqwest::Error) -> PaymentError {
    let what = match &error {
        error if error.is_timeout() => "no response in time",
        error if error.is_connect() => "no connection",
        _ => "the response was lost",
    };
    PaymentError::Unavailable(what.to_owned())
}
