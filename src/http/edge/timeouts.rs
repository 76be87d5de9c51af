//! Timeouts of a connection: a request head must arrive in time, and a response must be read in time.
//!
//! The stream does not parse HTTP, so the service reports through [`RequestTracker`] when a request is in flight. Bytes
//! that arrive at any other time belong to the head of the next request. The idle timeout between two requests is
//! hyper's.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use hyper::body::{Bytes, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// Counts the starts and ends of requests on a connection, together: odd while a request is in flight.
#[derive(Clone, Default)]
pub struct RequestTracker(Arc<AtomicUsize>);

/// A request in flight. It ends when this is dropped.
pub struct InFlight(RequestTracker);

/// A response body. Its request is in flight until the whole body was handed to the connection.
pub struct TrackedBody {
    body: Body,
    _in_flight: InFlight,
}

impl RequestTracker {
    pub fn start_request(&self) -> InFlight {
        self.0.fetch_add(1, Ordering::AcqRel);
        InFlight(self.clone())
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::AcqRel);
    }
}

impl InFlight {
    pub fn track_body(self, body: Body) -> TrackedBody {
        TrackedBody { body, _in_flight: self }
    }
}

impl hyper::body::Body for TrackedBody {
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

/// A stream with a timeout for request heads and a timeout for writes.
pub struct TimedStream {
    stream: TcpStream,
    requests: RequestTracker,
    /// The tracker's count when the stream was last read.
    last_count: usize,
    head: Deadline,
    write: Deadline,
}

impl TimedStream {
    /// The timeout of the first head begins now.
    pub fn new(stream: TcpStream, requests: RequestTracker, head_timeout: Duration, write_timeout: Duration) -> Self {
        let (mut head, write) = (Deadline::new(head_timeout), Deadline::new(write_timeout));
        head.begin();
        Self { stream, requests, last_count: 0, head, write }
    }

    /// Ends the write timeout if the client read some bytes; otherwise starts or checks it.
    fn check_write<T>(&mut self, written: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write.end();
            return written;
        }
        self.write.begin();
        self.write.poll(context).map(Err)
    }
}

impl AsyncRead for TimedStream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let count = this.requests.count();
        if count != this.last_count {
            this.last_count = count;
            this.head.end();
        }
        let between_requests = count.is_multiple_of(2);
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        if between_requests {
            if read.is_pending() {
                return this.head.poll(context).map(Err);
            }
            if buffer.filled().len() > before {
                this.head.begin();
            }
        }
        read
    }
}

impl AsyncWrite for TimedStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.check_write(written, context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.check_write(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

/// A time limit. The timer is only set when there is something to wait for, so that a request that arrives in one
/// piece costs none.
struct Deadline {
    timeout: Duration,
    began: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    fn new(timeout: Duration) -> Self {
        Self { timeout, began: None, sleep: None }
    }

    /// Does nothing if it has begun already.
    fn begin(&mut self) {
        self.began.get_or_insert_with(Instant::now);
    }

    fn end(&mut self) {
        self.began = None;
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let Some(began) = self.began else { return Poll::Pending };
        let deadline = began + self.timeout;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        ready!(sleep.as_mut().poll(context));
        Poll::Ready(io::ErrorKind::TimedOut.into())
    }
}
