//! Whole lists: every row from one snapshot of the database, streamed.
//!
//! Memory is bounded: rows are sent in chunks, and the database is read no faster than the client reads. A list holds a
//! connection and a snapshot meanwhile, so the time of each and the number at once are bounded too. A list that ends
//! early breaks the connection, so that a client cannot mistake a part for the whole.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, BoxStream, TryStreamExt};
use serde::Serialize;
use sqlx::pool::PoolConnection;
use sqlx::{Executor, PgConnection, PgPool, Postgres};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::domain::account::Role;
use crate::http::wire::caller::Caller;
use crate::http::wire::error::ApiError;
use crate::http::wire::list_format::ListFormat;

/// Rows are sent when a chunk has this size.
const CHUNK_BYTES: usize = 32 * 1024;
/// Chunks that wait for the client.
const CHUNKS: usize = 4;
/// Seconds after which a client may retry a list that was refused.
const RETRY_SECONDS: u32 = 5;

const STAFF_LISTS: usize = 3;
const PUBLIC_LISTS: usize = 2;
const LISTS_OF_A_CALLER: usize = 2;
const LIST_TIME: Duration = Duration::from_secs(60);

/// Bounds of whole lists on one node.
#[derive(Clone, Copy, Debug)]
pub struct WholeListLimits {
    /// Lists at once of staff and API keys.
    pub staff: usize,
    /// Lists at once of customers and guests.
    pub public: usize,
    /// Lists at once of one caller among staff. A customer or guest reads one.
    pub per_caller: usize,
    /// How long a list may take, from its first row to its last.
    pub time: Duration,
}

impl Default for WholeListLimits {
    fn default() -> Self {
        Self { staff: STAFF_LISTS, public: PUBLIC_LISTS, per_caller: LISTS_OF_A_CALLER, time: LIST_TIME }
    }
}

/// Counts the whole lists that are being read. Cheap to clone.
#[derive(Clone)]
pub struct WholeLists {
    limits: WholeListLimits,
    staff: Arc<Semaphore>,
    public: Arc<Semaphore>,
    callers: Arc<Mutex<HashMap<String, usize>>>,
}

/// The right to read one list. It ends when this is dropped.
struct Slot {
    _permit: OwnedSemaphorePermit,
    lists: WholeLists,
    principal: String,
}

/// A part of a list on its way to the client.
enum Piece {
    Rows(Bytes),
    /// The list is complete.
    End,
    Failed(sqlx::Error),
}

impl WholeLists {
    pub fn new(limits: WholeListLimits) -> Self {
        let (staff, public) = (Semaphore::new(limits.staff), Semaphore::new(limits.public));
        Self { limits, staff: Arc::new(staff), public: Arc::new(public), callers: Arc::default() }
    }

    /// Streams the rows of `query`, which reads the `tables`.
    pub async fn stream<Row, Shown, Query, Show>(
        &self,
        pool: &PgPool,
        caller: &Caller,
        format: ListFormat,
        tables: &[&str],
        query: Query,
        show: Show,
    ) -> Result<Response, ApiError>
    where
        Row: Send + 'static,
        Shown: Serialize,
        Query: for<'c> FnOnce(&'c mut PgConnection) -> BoxStream<'c, Result<Row, sqlx::Error>> + Send + 'static,
        Show: Fn(Row) -> Shown + Send + 'static,
    {
        let is_staff = caller.identity().is_ok_and(|identity| identity.role > Role::Customer);
        let slot = self.take_slot(caller.principal(), is_staff)?;
        let connection = snapshot_connection(pool, tables).await?;
        let (sender, mut receiver) = mpsc::channel(CHUNKS);
        let time = self.limits.time;
        tokio::spawn(async move {
            // Dropped last, when the connection is gone.
            let _slot = slot;
            tokio::select! {
                sent = tokio::time::timeout(time, send_rows(connection, format, query, show, &sender)) => match sent {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        tracing::warn!(%error, "a whole list broke off");
                        drop(sender.try_send(Piece::Failed(error)));
                    }
                    Err(_) => tracing::warn!(seconds = time.as_secs(), "a whole list took too long and was broken off"),
                },
                () = sender.closed() => {}
            }
        });
        // Failures before the first row still get a status.
        let first = match receiver.recv().await {
            Some(Piece::Failed(error)) => return Err(error.into()),
            Some(first) => first,
            None => return Err(ApiError::unavailable("list_too_slow", "the list took too long")),
        };
        let body = Body::from_stream(stream::try_unfold((Some(first), receiver), next_bytes));
        Ok(([(CONTENT_TYPE, format.media_type())], body).into_response())
    }

    /// 429 if the caller reads too many lists, 503 if the node does.
    fn take_slot(&self, principal: &str, is_staff: bool) -> Result<Slot, ApiError> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        let (semaphore, bound) = if is_staff { (&self.staff, self.limits.per_caller) } else { (&self.public, 1) };
        if callers.get(principal).is_some_and(|held| *held >= bound) {
            let detail = format!("this caller may read {bound} whole lists at once; retry when one has ended");
            let status = StatusCode::TOO_MANY_REQUESTS;
            return Err(ApiError::new(status, "too_many_whole_lists", "Too many whole lists", detail)
                .with_header(RETRY_AFTER, RETRY_SECONDS));
        }
        let Ok(permit) = Arc::clone(semaphore).try_acquire_owned() else {
            return Err(ApiError::unavailable("whole_lists_busy", "too many whole lists are being read; retry later")
                .with_header(RETRY_AFTER, RETRY_SECONDS));
        };
        *callers.entry(principal.to_owned()).or_default() += 1;
        Ok(Slot { _permit: permit, lists: self.clone(), principal: principal.to_owned() })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut callers = self.lists.callers.lock().unwrap_or_else(PoisonError::into_inner);
        match callers.get_mut(&self.principal) {
            Some(held) if *held > 1 => *held -= 1,
            _ => drop(callers.remove(&self.principal)),
        }
    }
}

/// A connection in a repeatable-read snapshot. It is closed at the end, because a list that ends early leaves unread rows.
async fn snapshot_connection(pool: &PgPool, tables: &[&str]) -> Result<PoolConnection<Postgres>, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    connection.close_on_drop();
    connection.execute("begin isolation level repeatable read read only").await?;
    // Locked before the snapshot is taken: a table that a rebuild swapped in afterwards would be empty in it.
    connection.execute(format!("lock table {} in access share mode", tables.join(", ")).as_str()).await?;
    Ok(connection)
}

/// Sends every row, then the end. Returns early if the client is gone.
async fn send_rows<Row, Shown, Query, Show>(
    mut connection: PoolConnection<Postgres>,
    format: ListFormat,
    query: Query,
    show: Show,
    sender: &mpsc::Sender<Piece>,
) -> Result<(), sqlx::Error>
where
    Shown: Serialize,
    Query: for<'c> FnOnce(&'c mut PgConnection) -> BoxStream<'c, Result<Row, sqlx::Error>>,
    Show: Fn(Row) -> Shown,
{
    let mut rows = query(&mut connection);
    let mut chunk = Vec::with_capacity(CHUNK_BYTES);
    let mut first = true;
    format.begin(&mut chunk);
    while let Some(row) = rows.try_next().await? {
        let written = format.write_row(&show(row), std::mem::take(&mut first), &mut chunk);
        written.map_err(|error| sqlx::Error::Encode(error.into()))?;
        if chunk.len() >= CHUNK_BYTES {
            let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK_BYTES));
            if sender.send(Piece::Rows(full.into())).await.is_err() {
                return Ok(());
            }
        }
    }
    format.end(&mut chunk);
    if sender.send(Piece::Rows(chunk.into())).await.is_ok() {
        drop(sender.send(Piece::End).await);
    }
    Ok(())
}

type Pieces = (Option<Piece>, mpsc::Receiver<Piece>);

/// The next bytes of the body; an error if the list ends without its end.
async fn next_bytes((first, mut receiver): Pieces) -> io::Result<Option<(Bytes, Pieces)>> {
    let piece = match first {
        Some(piece) => Some(piece),
        None => receiver.recv().await,
    };
    match piece {
        Some(Piece::Rows(bytes)) => Ok(Some((bytes, (None, receiver)))),
        Some(Piece::End) => Ok(None),
        Some(Piece::Failed(_)) | None => Err(io::Error::other("the list ended early")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(taken: Result<Slot, ApiError>) -> Option<StatusCode> {
        taken.err().map(|error| error.into_response().status())
    }

    #[test]
    fn a_caller_and_a_node_read_a_bounded_number_of_lists_at_once() {
        let limits = WholeListLimits { staff: 3, public: 2, per_caller: 2, time: Duration::from_secs(1) };
        let lists = WholeLists::new(limits);
        let first = lists.take_slot("account/1", true).unwrap();
        let _second = lists.take_slot("account/1", true).unwrap();
        assert_eq!(code_of(lists.take_slot("account/1", true)), Some(StatusCode::TOO_MANY_REQUESTS));
        let _third = lists.take_slot("account/2", true).unwrap();
        assert_eq!(code_of(lists.take_slot("account/3", true)), Some(StatusCode::SERVICE_UNAVAILABLE));
        drop(first);
        let _again = lists.take_slot("account/1", true).unwrap();
        let guest = lists.take_slot("guest/192.0.2.1", false).unwrap();
        assert_eq!(code_of(lists.take_slot("guest/192.0.2.1", false)), Some(StatusCode::TOO_MANY_REQUESTS));
        let _other = lists.take_slot("guest/192.0.2.2", false).unwrap();
        assert_eq!(code_of(lists.take_slot("guest/192.0.2.3", false)), Some(StatusCode::SERVICE_UNAVAILABLE));
        drop(guest);
        let refused = lists.take_slot("account/9", true).err().unwrap().into_response();
        assert_eq!(refused.headers()[RETRY_AFTER], "5");
        assert_eq!(lists.callers.lock().unwrap().len(), 3);
    }

    #[tokio::test]
    async fn a_body_without_its_end_is_an_error() {
        let (sender, receiver) = mpsc::channel(2);
        sender.send(Piece::Rows("[1".into())).await.unwrap();
        drop(sender);
        let (bytes, rest) = next_bytes((None, receiver)).await.unwrap().unwrap();
        assert_eq!(bytes, "[1");
        assert!(next_bytes(rest).await.is_err());
        let (sender, receiver) = mpsc::channel(2);
        sender.send(Piece::End).await.unwrap();
        assert!(next_bytes((None, receiver)).await.unwrap().is_none());
    }
}
