//! A keep-alive connection to the shop.

use std::sync::LazyLock;

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::tokens::{ADMIN, claims, sign};

/// Access tokens of the first customers, by number.
static CUSTOMERS_BEARERS: LazyLock<Vec<HeaderValue>> =
    LazyLock::new(|| (0..2_100).map(|customer| bearer(&sign(&claims("customer", customer, Some(customer))))).collect());
static ADMIN_BEARER: LazyLock<HeaderValue> = LazyLock::new(|| bearer(&ADMIN));

fn bearer(token: &str) -> HeaderValue {
    HeaderValue::from_str(&format!("Bearer {token}")).expect("a token is plain text")
}

pub struct Client {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    /// Customer whose token is sent; `None` for an admin's.
    pub customer: Option<i64>,
}

pub struct Answer {
    pub status: StatusCode,
    headers: HeaderMap,
    pub body: Bytes,
}

impl Client {
    /// `host` is `address:port`.
    pub async fn connect(host: &str) -> Self {
        let stream = TcpStream::connect(host).await.expect("the shop listens");
        stream.set_nodelay(true).expect("a socket can be set up");
        let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("the shop speaks HTTP");
        tokio::spawn(connection);
        Self { sender, host: host.to_owned(), customer: None }
    }

    pub async fn get(&mut self, path: &str, min_position: Option<i64>) -> Answer {
        let mut request = Request::builder().method(Method::GET).uri(path).header(HOST, &self.host);
        if let Some(position) = min_position {
            request = request.header("min-position", position);
        }
        self.send(request.body(Full::default()).expect("the request is well formed")).await
    }

    pub async fn post(&mut self, path: &str, body: String) -> Answer {
        let mut request = Request::builder().method(Method::POST).uri(path).header(HOST, &self.host);
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        self.send(request.body(Full::from(body)).expect("the request is well formed")).await
    }

    async fn send(&mut self, mut request: Request<Full<Bytes>>) -> Answer {
        let bearer = match self.customer {
            Some(customer) => CUSTOMERS_BEARERS[usize::try_from(customer).expect("a customer's number")].clone(),
            None => ADMIN_BEARER.clone(),
        };
        request.headers_mut().insert(AUTHORIZATION, bearer);
        self.sender.ready().await.expect("the connection is open");
        let response = self.sender.send_request(request).await.expect("the shop answers");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("the answer is whole").to_bytes();
        Answer { status: head.status, headers: head.headers, body }
    }
}

impl Answer {
    /// JSON of a successful answer.
    pub fn json(&self) -> Value {
        assert!(self.status.is_success(), "{}: {}", self.status, String::from_utf8_lossy(&self.body));
        serde_json::from_slice(&self.body).expect("the answer is JSON")
    }

    /// Log position of the command's last event.
    pub fn position(&self) -> i64 {
        self.headers["journal-position"].to_str().ok().and_then(|text| text.parse().ok()).expect("a position")
    }
}
