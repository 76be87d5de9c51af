//! Whole lists: every row from one snapshot of the database, streamed.
//!
//! A list holds a connection and a snapshot while it is read, so the time of each and the number at once are bounded.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use futures_util::stream::{BoxStream, TryStreamExt};
use serde::Serialize;
use sqlx::pool::PoolConnection;
use sqlx::{Executor, PgConnection, PgPool, Postgres};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::account::Role;
use crate::http::wire::caller::Caller;
use crate::http::wire::error::ApiError;
use crate::http::wire::list_format::ListFormat;
use crate::http::wire::streamed::{self, Chunks};

/// Seconds after which a client may retry a list that was refused.
const RETRY_SECONDS: u32 = 5;

const STAFF_LISTS: usize = 3;
const PUBLIC_LISTS: usize = 2;
const LISTS_OF_A_CALLER: usize = 2;
/// Lists that a node sends as CSV at once. Customers and guests have one of them.
const CSV_LISTS: usize = 2;
/// Requests with many rows that a node carries out at once.
const ROW_REQUESTS: usize = 4;
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
    csv: Arc<Semaphore>,
    public_csv: Arc<Semaphore>,
    rows: Arc<Semaphore>,
    callers: Arc<Mutex<HashMap<String, usize>>>,
}

/// The right to read one list. It ends when this is dropped.
struct Slot {
    _permit: OwnedSemaphorePermit,
    lists: WholeLists,
    principal: String,
}

/// The right to send a list until this is dropped.
pub struct ListSlot {
    _slot: Option<Slot>,
    _permits: Vec<OwnedSemaphorePermit>,
}

impl WholeLists {
    pub fn new(limits: WholeListLimits) -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        let (staff, public) = (semaphore(limits.staff), semaphore(limits.public));
        let (csv, public_csv) = (semaphore(CSV_LISTS), semaphore(CSV_LISTS - 1));
        let rows = semaphore(ROW_REQUESTS);
        Self { limits, staff, public, csv, public_csv, rows, callers: Arc::default() }
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
        let slot = self.take_slot(caller.principal(), is_staff(caller))?;
        let connection = snapshot_connection(pool, tables).await?;
        let send = move |chunks| send_rows(connection, format, query, show, chunks);
        streamed::answer(HeaderValue::from_static(format.media_type()), self.limits.time, slot, send).await
    }

    /// How long a list may take.
    pub fn time(&self) -> Duration {
        self.limits.time
    }

    /// The right to read a list; `csv` if it is sent as CSV.
    pub fn admit(&self, caller: &Caller, csv: bool) -> Result<ListSlot, ApiError> {
        let permits = if csv { self.take_csv_permits(is_staff(caller))? } else { vec![] };
        let slot = self.take_slot(caller.principal(), is_staff(caller))?;
        Ok(ListSlot { _slot: Some(slot), _permits: permits })
    }

    /// The right to send a list as CSV whose rows are admitted elsewhere.
    pub fn admit_csv(&self, caller: &Caller) -> Result<ListSlot, ApiError> {
        Ok(ListSlot { _slot: None, _permits: self.take_csv_permits(is_staff(caller))? })
    }

    /// The right to carry out a request with many rows; 503 if the node carries out too many.
    pub fn admit_rows(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        Arc::clone(&self.rows).try_acquire_owned().map_err(|_| {
            ApiError::unavailable("row_requests_busy", "too many requests with many rows are carried out; retry later")
                .with_header(RETRY_AFTER, RETRY_SECONDS)
        })
    }

    /// 503 if the node sends too many lists as CSV. Customers and guests leave one for staff.
    fn take_csv_permits(&self, is_staff: bool) -> Result<Vec<OwnedSemaphorePermit>, ApiError> {
        let semaphores = if is_staff { vec![&self.csv] } else { vec![&self.public_csv, &self.csv] };
        let permits = semaphores.into_iter().map(|semaphore| Arc::clone(semaphore).try_acquire_owned());
        permits.collect::<Result<_, _>>().map_err(|_| busy())
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
            return Err(busy());
        };
        *callers.entry(principal.to_owned()).or_default() += 1;
        Ok(Slot { _permit: permit, lists: self.clone(), principal: principal.to_owned() })
    }
}

fn is_staff(caller: &Caller) -> bool {
    caller.identity().is_ok_and(|identity| identity.role > Role::Customer)
}

fn busy() -> ApiError {
    ApiError::unavailable("whole_lists_busy", "too many whole lists are being read; retry later")
        .with_header(RETRY_AFTER, RETRY_SECONDS)
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

/// Sends every row.
async fn send_rows<Row, Shown, Query, Show>(
    mut connection: PoolConnection<Postgres>,
    format: ListFormat,
    query: Query,
    show: Show,
    mut chunks: Chunks,
) -> Result<Chunks, ApiError>
where
    Shown: Serialize,
    Query: for<'c> FnOnce(&'c mut PgConnection) -> BoxStream<'c, Result<Row, sqlx::Error>>,
    Show: Fn(Row) -> Shown,
{
    let mut rows = query(&mut connection);
    let mut first = true;
    format.begin(chunks.buffer());
    while let Some(row) = rows.try_next().await? {
        let written = format.write_row(&show(row), std::mem::take(&mut first), chunks.buffer());
        written.map_err(ApiError::internal)?;
        chunks.send_full().await;
    }
    format.end(chunks.buffer());
    Ok(chunks)
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

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
}
