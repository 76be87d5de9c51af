//! One request to the provider, and which of its answers leave the outcome unknown.

use std::time::Duration;

use reqwest::{Method, StatusCode, Url, redirect};
use serde::de::DeserializeOwned;

use super::super::provider::{PaymentError, ProviderSecret};
use super::CardConfig;
use super::answers::{Answer, Refusal, RefusalBody};

pub struct Client {
    http: reqwest::Client,
    url: Url,
    key: ProviderSecret,
}

const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// In bytes; a hundred refunds have some hundred thousand.
const LONGEST_ANSWER: usize = 2 * 1024 * 1024;

impl Client {
    pub fn new(config: &CardConfig) -> Result<Self, PaymentError> {
        let http = reqwest::Client::builder()
            .timeout(config.patience)
            .connect_timeout(CONNECT_PATIENCE)
            // The key is for this provider alone.
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
    ) -> Result<Answer<T>, PaymentError> {
        let request = self.request(Method::POST, path)?.form(form);
        Self::send(key.into_iter().fold(request, |request, key| request.header("idempotency-key", key))).await
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Answer<T>, PaymentError> {
        Self::send(self.request(Method::GET, path)?).await
    }

    fn request(&self, method: Method, path: &str) -> Result<reqwest::RequestBuilder, PaymentError> {
        let url = self.url.join(path).map_err(|error| PaymentError::Misconfigured(error.to_string()))?;
        Ok(self.http.request(method, url).bearer_auth(self.key.expose()))
    }

    async fn send<T: DeserializeOwned>(request: reqwest::RequestBuilder) -> Result<Answer<T>, PaymentError> {
        let response = request.send().await.map_err(unknown)?;
        let status = response.status();
        let body = read_body(response).await?;
        if status.is_success() {
            // It was done, but what was done cannot be read. What stands there is not repeated: it may be a token.
            let unreadable = |_| PaymentError::Unavailable("the answer cannot be read".to_owned());
            return serde_json::from_slice(&body).map(Answer::Done).map_err(unreadable);
        }
        let Refusal { kind, code, decline_code } =
            serde_json::from_slice::<RefusalBody>(&body).unwrap_or_default().error;
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(PaymentError::Misconfigured(format!("the provider answers {status}")))
            }
            // The same key came with another wish, which would be a defect.
            _ if kind.as_deref() == Some("idempotency_error") && status != StatusCode::CONFLICT => {
                Err(PaymentError::Misconfigured("an idempotency key was used for two wishes".to_owned()))
            }
            StatusCode::BAD_REQUEST | StatusCode::PAYMENT_REQUIRED | StatusCode::NOT_FOUND => {
                Ok(Answer::Refused(Refusal { kind, code, decline_code }))
            }
            // Also 409 (the first request with the key is under way), 429, and whatever a proxy between may say.
            _ => Err(PaymentError::Unavailable(format!("the provider answers {status}"))),
        }
    }
}

async fn read_body(mut response: reqwest::Response) -> Result<Vec<u8>, PaymentError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unknown)? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            return Err(PaymentError::Unavailable("the answer is too long".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What failed on the way, without the address.
fn unknown(error: reqwest::Error) -> PaymentError {
    let what = match &error {
        error if error.is_timeout() => "no answer in time",
        error if error.is_connect() => "no connection",
        _ => "the answer was lost",
    };
    PaymentError::Unavailable(what.to_owned())
}
