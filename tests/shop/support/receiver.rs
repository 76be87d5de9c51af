//! A webhook receiver: a small server that keeps its messages and answers as a test says.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::net::TcpListener;

/// A message as it came.
#[derive(Clone, Debug)]
pub struct Message {
    pub path: String,
    pub headers: HeaderMap,
    pub bytes: Bytes,
}

/// Answers a message, given how many messages with its id came before.
type Answer = dyn Fn(usize, Message) -> BoxFuture<'static, Response> + Send + Sync;

#[derive(Clone)]
pub struct Receiver {
    pub address: SocketAddr,
    messages: Arc<Mutex<Vec<Message>>>,
}

impl Message {
    pub fn id(&self) -> &str {
        self.headers["webhook-id"].to_str().unwrap()
    }

    pub fn body(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap()
    }

    /// Whether it was signed with this secret, just now.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        standardwebhooks::Webhook::new(secret).unwrap().verify(&self.bytes, &self.headers).is_ok()
    }
}

impl Receiver {
    /// Answers every message with 204.
    pub async fn start() -> Self {
        Self::answering(|_, _| Box::pin(async { StatusCode::NO_CONTENT.into_response() })).await
    }

    pub async fn answering(
        answer: impl Fn(usize, Message) -> BoxFuture<'static, Response> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let messages: Arc<Mutex<Vec<Message>>> = Arc::default();
        let (kept, answer): (_, Arc<Answer>) = (Arc::clone(&messages), Arc::new(answer));
        let router = Router::new().fallback(move |uri: Uri, headers: HeaderMap, bytes: Bytes| {
            let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
            async move {
                let message = Message { path: uri.path().to_owned(), headers, bytes };
                let before = {
                    let mut kept = kept.lock().unwrap();
                    let same = |other: &&Message| other.path == message.path && other.id() == message.id();
                    let before = kept.iter().filter(same).count();
                    kept.push(message.clone());
                    before
                };
                answer(before, message).await
            }
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, messages }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn messages(&self) -> Vec<Message> {
        self.messages.lock().unwrap().clone()
    }
}
