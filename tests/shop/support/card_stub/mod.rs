//! A stub of the card provider, with Stripe's PaymentIntents protocol.
//!
//! It keeps a ledger, stores idempotency keys, and fails on request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::hmac;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use cartwright::payments::{CardConfig, Currency, PaymentsConfig, ProviderSecret};
use reqwest::Url;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

mod ledger;

pub use ledger::{Ledger, Operation};

pub const KEY: &str = "sk_test_stub";
pub const WEBHOOK_SECRET: &str = "whsec_stub";

/// The client's timeout for answers of the stub.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// The fault of one request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Executed; the answer is lost.
    LoseAnswer,
    /// Executed; the answer is delayed.
    Late(Duration),
    /// Executed; the answer is 500, also for every repetition of the key.
    FailAfterwards,
    /// Not executed; answered with this status.
    Refuse(u16),
    /// Executed when there is a permit.
    Hold(Arc<Semaphore>),
}

#[derive(Clone)]
pub struct CardStub {
    pub url: Url,
    state: Arc<Mutex<Inner>>,
    _runtime: Arc<Background>,
}

#[derive(Default)]
struct Inner {
    ledger: Ledger,
    faults: Vec<(Operation, Fault)>,
    /// Each key with its first request, and its answer if there was one.
    keys: HashMap<String, (String, Option<(u16, Value)>)>,
    /// Every request that arrived, executed or not.
    requests: Vec<Operation>,
}

/// The stub lives beside the tests' own runtimes.
struct Background(Option<Runtime>);

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl CardStub {
    pub fn start() -> Self {
        let state: Arc<Mutex<Inner>> = Arc::default();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&state));
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
        Self { url, state, _runtime: Arc::new(Background(Some(runtime))) }
    }

    /// The configuration of a shop that uses it.
    pub fn payments(&self) -> PaymentsConfig {
        PaymentsConfig { currency: Currency::EUR, test: false, card: Some(self.card(KEY)) }
    }

    pub fn card(&self, key: &str) -> CardConfig {
        let webhook_secret = Some(ProviderSecret::new(WEBHOOK_SECRET));
        CardConfig { url: self.url.clone(), key: ProviderSecret::new(key), webhook_secret, timeout: PATIENCE }
    }

    /// Adds a fault for the next request of the kind.
    pub fn fault(&self, operation: Operation, fault: Fault) {
        self.state.lock().unwrap().faults.push((operation, fault));
    }

    pub fn ledger(&self) -> Ledger {
        self.state.lock().unwrap().ledger.clone()
    }

    /// Changes the ledger as the provider's staff could.
    pub fn change(&self, change: impl FnOnce(&mut Ledger)) {
        change(&mut self.state.lock().unwrap().ledger);
    }

    /// The number of requests of the kind.
    pub fn requests(&self, operation: Operation) -> usize {
        self.state.lock().unwrap().requests.iter().filter(|request| **request == operation).count()
    }

    /// Every message that the provider would have sent so far, in order.
    pub fn messages(&self) -> Vec<Value> {
        self.ledger().messages
    }
}

/// The header of a message that is sent now.
pub fn signature(body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, WEBHOOK_SECRET.as_bytes());
    let time = chrono::Utc::now().timestamp();
    let tag = hmac::sign(&key, format!("{time}.{body}").as_bytes());
    format!("t={time},v1={}", hex::encode(tag))
}

async fn answer(
    State(state): State<Arc<Mutex<Inner>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> Response {
    let known = headers.get("authorization").is_some_and(|value| value == &format!("Bearer {KEY}"));
    if !known {
        return respond(&error(401, "invalid_request_error", None));
    }
    let Some((operation, id)) = ledger::route(&method, uri.path()) else {
        return respond(&error(404, "invalid_request_error", Some("unknown_path")));
    };
    let fault = {
        let mut inner = state.lock().unwrap();
        inner.requests.push(operation);
        let place = inner.faults.iter().position(|(of, _)| *of == operation);
        place.map(|place| inner.faults.remove(place).1)
    };
    match &fault {
        Some(Fault::Refuse(status)) => return respond(&error(*status, "api_error", None)),
        Some(Fault::Hold(gate)) => drop(gate.acquire().await),
        _ => {}
    }
    // An operation is finished even if the client disconnects.
    let lost = matches!(fault, Some(Fault::LoseAnswer));
    let done = tokio::spawn(async move { carry_out(&state, operation, &id, &uri, &headers, &body, fault).await });
    let outcome = done.await.unwrap();
    if lost {
        let broken = futures_util::stream::once(async { Err::<Bytes, _>(std::io::Error::other("the line is dead")) });
        return Body::from_stream(broken).into_response();
    }
    respond(&outcome)
}

async fn carry_out(
    state: &Mutex<Inner>,
    operation: Operation,
    id: &str,
    uri: &Uri,
    headers: &HeaderMap,
    body: &str,
    fault: Option<Fault>,
) -> (u16, Value) {
    let key = headers.get("idempotency-key").map(|key| key.to_str().unwrap().to_owned());
    let fingerprint = format!("{} {body}", uri.path());
    let outcome = {
        let mut inner = state.lock().unwrap();
        match key.as_ref().and_then(|key| inner.keys.get(key)) {
            Some((first, _)) if *first != fingerprint => return error(400, "idempotency_error", None),
            Some((_, None)) => return error(409, "idempotency_error", Some("idempotency_key_in_use")),
            Some((_, Some(answer))) => return answer.clone(),
            None => {}
        }
        if let Some(key) = &key {
            inner.keys.insert(key.clone(), (fingerprint.clone(), None));
        }
        let outcome = inner.ledger.carry_out(operation, id, &pairs(uri.query().unwrap_or_default()), &pairs(body));
        if matches!(fault, Some(Fault::FailAfterwards)) { error(500, "api_error", None) } else { outcome }
    };
    if let Some(Fault::Late(time)) = fault {
        tokio::time::sleep(time).await;
    }
    if let Some(key) = key {
        state.lock().unwrap().keys.insert(key, (fingerprint, Some(outcome.clone())));
    }
    outcome
}

/// The fields of a form, or of a query.
fn pairs(form: &str) -> HashMap<String, String> {
    Url::parse(&format!("http://stub/?{form}")).unwrap().query_pairs().into_owned().collect()
}

fn error(status: u16, kind: &str, code: Option<&str>) -> (u16, Value) {
    (status, json!({ "error": { "type": kind, "code": code } }))
}

fn respond((status, body): &(u16, Value)) -> Response {
    (StatusCode::from_u16(*status).unwrap(), axum::Json(body)).into_response()
}
