//! A connection's stream that does not wait for its client for ever.
//!
//! It cannot read HTTP, so the service tells it through [`Exchange`] when a request is under way. What comes in
//! otherwise is the head of the next request, which must be whole in time. How long there may be nothing at all between
//! two requests is hyper's to say.

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

/// How many requests have begun and ended on a connection, together: odd while one is under way.
#[derive(Clone, Default)]
pub struct Exchange(Arc<AtomicUsize>);

/// A request under way. It ends when this is dropped.
pub struct UnderWay(Exchange);

/// An answer's body, which is under way until all of it was handed over.
pub struct Sending {
    body: Body,
    _under_way: UnderWay,
}

impl Exchange {
    pub fn begin(&self) -> UnderWay {
        self.0.fetch_add(1, Ordering::AcqRel);
        UnderWay(self.clone())
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::AcqRel);
    }
}

impl UnderWay {
    pub fn until_sent(self, body: Body) -> Sending {
        Sending { body, _under_way: self }
    }
}

impl hyper::body::Body for Sending {
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

pub struct Patient {
    stream: TcpStream,
    exchange: Exchange,
    /// The count of the exchange when the stream was last read.
    seen: usize,
    head: Deadline,
    write: Deadline,
}

impl Patient {
    /// The first head is waited for from now on.
    pub fn new(stream: TcpStream, exchange: Exchange, head_timeout: Duration, write_timeout: Duration) -> Self {
        let (mut head, write) = (Deadline::new(head_timeout), Deadline::new(write_timeout));
        head.begin();
        Self { stream, exchange, seen: 0, head, write }
    }

    /// What came of an attempt to write. As long as some of it is taken, the client is there.
    fn written<T>(&mut self, written: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write.end();
            return written;
        }
        self.write.begin();
        self.write.poll(context).map(Err)
    }
}

impl AsyncRead for Patient {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let count = this.exchange.count();
        if count != this.seen {
            this.seen = count;
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

impl AsyncWrite for Patient {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.written(written, context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.written(written, context)
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

/// How long something may take from when it began. The timer is only set when there is something to wait for, so that
/// a request that comes in one piece costs none.
struct Deadline {
    patience: Duration,
    began: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    fn new(patience: Duration) -> Self {
        Self { patience, began: None, sleep: None }
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
        let deadline = began + self.patience;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        ready!(sleep.as_mut().poll(context));
        Poll::Ready(io::ErrorKind::TimedOut.into())
    }
}
