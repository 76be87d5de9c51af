//! Request bodies that no handler reads, such as that of a refused command.
//!
//! A connection can carry the next request only after the body of this one. hyper closes a connection whose body was
//! dropped, unless all of it has arrived already, and its response does not say so: the client's next request would get
//! no answer. So a small rest is read here, and any other closes the connection with notice.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::{CONNECTION, EXPECT};
use axum::middleware::Next;
use axum::response::Response;
use hyper::body::{Body as _, Bytes, Frame, SizeHint};
use tokio::time::timeout;

/// The longest rest of a body that is read for the sake of the connection.
const MAX_REST_BYTES: u64 = 64 * 1024;
/// How long a rest may take to arrive.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// Where a body that was dropped unread goes.
type Dropped = Arc<Mutex<Option<Body>>>;

/// A request body that is kept when it is dropped before its end.
struct KeptBody {
    body: Body,
    dropped: Dropped,
}

/// A layer: a response to a request whose body was not read to its end closes the connection, unless the rest is small
/// and arrives soon.
pub async fn finish_request_body(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    // Such a client sends its body only if the shop begins to read it.
    let waits = request.headers().contains_key(EXPECT);
    let dropped = Dropped::default();
    let request = request.map(|body| Body::new(KeptBody { body, dropped: dropped.clone() }));
    let mut response = next.run(request).await;
    let rest = dropped.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(rest) = rest
        && (waits || !timeout(MAX_WAIT, read_rest(rest)).await.unwrap_or(false))
    {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Whether the body ended within [`MAX_REST_BYTES`].
async fn read_rest(mut body: Body) -> bool {
    let mut read = 0;
    while read + body.size_hint().lower() <= MAX_REST_BYTES {
        match poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            None => return true,
            Some(Ok(frame)) => read += frame.data_ref().map_or(0, |data| data.len() as u64),
            Some(Err(_)) => return false,
        }
    }
    false
}

impl hyper::body::Body for KeptBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for KeptBody {
    fn drop(&mut self) {
        if !self.body.is_end_stream() {
            *self.dropped.lock().unwrap_or_else(PoisonError::into_inner) = Some(std::mem::take(&mut self.body));
        }
    }
}
