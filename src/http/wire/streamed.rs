//! Long answers, sent in chunks while they are made.
//!
//! Memory is bounded: what makes the answer waits for the client to read. An answer that ends early breaks the connection,
//! so that a client cannot mistake a part for the whole.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::mpsc;

use crate::http::wire::error::ApiError;

/// A chunk is sent when it has this size.
const CHUNK_BYTES: usize = 32 * 1024;
/// Chunks that wait for the client.
const CHUNKS: usize = 4;

/// Where an answer is written to.
pub struct Chunks {
    sender: mpsc::Sender<Piece>,
    chunk: Vec<u8>,
}

/// A part of an answer on its way to the client.
enum Piece {
    Bytes(Bytes),
    /// The answer is complete.
    End,
    Failed(ApiError),
}

impl Chunks {
    /// What is written here is sent with the next chunk.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.chunk
    }

    /// Sends the buffer if it is full.
    pub async fn send_full(&mut self) {
        if self.chunk.len() >= CHUNK_BYTES {
            self.send().await;
        }
    }

    /// Sends the buffer. Never returns if the client is gone: the answer is given up then.
    pub async fn send(&mut self) {
        let full = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK_BYTES));
        if self.sender.send(Piece::Bytes(full.into())).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Answers 200 with what `make` writes. `held` is dropped when the answer has ended; it may take `time` at most.
///
/// `make` is given up when the client is gone.
pub async fn answer<Make, Made>(
    content_type: HeaderValue,
    time: Duration,
    held: impl Send + 'static,
    make: Make,
) -> Result<Response, ApiError>
where
    Make: FnOnce(Chunks) -> Made + Send + 'static,
    Made: Future<Output = Result<Chunks, ApiError>> + Send,
{
    let (sender, mut receiver) = mpsc::channel(CHUNKS);
    tokio::spawn(async move {
        // Dropped last.
        let _held = held;
        let chunks = Chunks { sender: sender.clone(), chunk: Vec::with_capacity(CHUNK_BYTES) };
        let made = async {
            let mut chunks = make(chunks).await?;
            chunks.send().await;
            Ok::<_, ApiError>(())
        };
        tokio::select! {
            made = tokio::time::timeout(time, made) => match made {
                Ok(Ok(())) => drop(sender.send(Piece::End).await),
                Ok(Err(error)) => {
                    tracing::warn!(error = error.detail(), "a long answer broke off");
                    drop(sender.try_send(Piece::Failed(error)));
                }
                Err(_) => tracing::warn!(seconds = time.as_secs(), "a long answer took too long and was broken off"),
            },
            () = sender.closed() => {}
        }
    });
    // Failures before the first chunk still get a status.
    let first = match receiver.recv().await {
        Some(Piece::Failed(error)) => return Err(error),
        Some(first) => first,
        None => return Err(ApiError::unavailable("list_too_slow", "the list took too long")),
    };
    let body = Body::from_stream(stream::try_unfold((Some(first), receiver), next_bytes));
    Ok(([(CONTENT_TYPE, content_type)], body).into_response())
}

type Pieces = (Option<Piece>, mpsc::Receiver<Piece>);

/// The next bytes of the body; an error if the answer ends without its end.
async fn next_bytes((first, mut receiver): Pieces) -> io::Result<Option<(Bytes, Pieces)>> {
    let piece = match first {
        Some(piece) => Some(piece),
        None => receiver.recv().await,
    };
    match piece {
        Some(Piece::Bytes(bytes)) => Ok(Some((bytes, (None, receiver)))),
        Some(Piece::End) => Ok(None),
        Some(Piece::Failed(_)) | None => Err(io::Error::other("the answer ended early")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_without_its_end_is_an_error() {
        let (sender, receiver) = mpsc::channel(2);
        drop(sender.send(Piece::Bytes("[1".into())).await);
        drop(sender);
        let (bytes, rest) = next_bytes((None, receiver)).await.unwrap().unwrap();
        assert_eq!(bytes, "[1");
        assert!(next_bytes(rest).await.is_err());
        let (sender, receiver) = mpsc::channel(2);
        drop(sender.send(Piece::End).await);
        assert!(next_bytes((None, receiver)).await.unwrap().is_none());
    }
}
