//! A card provider for tests: it speaks the protocol of Stripe's PaymentIntents, keeps a ledger, remembers idempotency
//! keys, and fails as it is told to.

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

/// How long clients of the stub wait for an answer.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// What goes wrong with one request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It is done, and the answer does not arrive.
    LoseAnswer,
    /// It is done, and the answer comes so much later.
    Late(Duration),
    /// It is done, and 500 is answered, now and whenever the key comes again.
    FailAfterwards,
    /// It is not done.
    Refuse(u16),
    /// It is done when there is a permit.
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
    /// With what each key was used for first, and what was answered, if it was.
    keys: HashMap<String, (String, Option<(u16, Value)>)>,
    /// Every request that came, what was done about it or not.
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

    /// How a shop is told to use it.
    pub fn payments(&self) -> PaymentsConfig {
        PaymentsConfig { currency: Currency::EUR, test: false, card: Some(self.card(KEY)) }
    }

    pub fn card(&self, key: &str) -> CardConfig {
        let webhook_secret = Some(ProviderSecret::new(WEBHOOK_SECRET));
        CardConfig { url: self.url.clone(), key: ProviderSecret::new(key), webhook_secret, timeout: PATIENCE }
    }

    /// Lets the next request of the kind that has no fault yet go wrong.
    pub fn fault(&self, operation: Operation, fault: Fault) {
        self.state.lock().unwrap().faults.push((operation, fault));
    }

    pub fn ledger(&self) -> Ledger {
        self.state.lock().unwrap().ledger.clone()
    }

    /// Changes the ledger as the provider's own people could.
    pub fn change(&self, change: impl FnOnce(&mut Ledger)) {
        change(&mut self.state.lock().unwrap().ledger);
    }

    /// How many requests of the kind have come.
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
    // What is begun is done, also if the client goes away meanwhile.
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
