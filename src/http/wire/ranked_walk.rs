//! Lists in an order that changes while a client reads them: in pages, or whole from one snapshot.
//!
//! A row that moves between two pages is shown twice or never. A page cannot know which; it knows whether any row may have
//! moved since the first page, and says so with `Walk-Moved: true`. The cursor carries the position of the tables at the
//! first page, and the log knows whether an event that moves rows has come since.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Uri};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Datelike, TimeDelta};
use futures_util::stream::{BoxStream, TryStreamExt};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::IntoParams;

use crate::http::App;
use crate::http::wire::caller::Caller;
use crate::http::wire::error::{ApiError, FieldError};
use crate::http::wire::list_format::ListFormat;
use crate::http::wire::page::{Page, PageOf};
use crate::http::wire::snapshot::RouterState;
use crate::projector::event_types_of;

/// The requested part of a list by rank, or all of it.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RankedPage {
    /// Maximum number of items, 1 to 1000.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
    /// Start of the page, from the `Link` header of the previous page.
    cursor: Option<String>,
    /// `true` returns the whole list from one snapshot, without `limit` and `cursor`: no row is missing or repeated.
    /// `Accept: application/x-ndjson` or `text/csv` returns it too, unless `limit` or `cursor` is given. Their number at
    /// once is limited, and each must be read within 60 seconds.
    all: Option<bool>,
}

/// What a list is read from, and what changes its order.
#[derive(Debug)]
pub struct Rank {
    /// Read tables of the list.
    pub tables: &'static [&'static str],
    /// Facts that add, remove or move rows.
    pub facts: &'static [&'static str],
}

/// A list by rank.
pub struct RankedList<Key> {
    pub rank: &'static Rank,
    /// Items of a page without `limit`.
    pub default_limit: i64,
    /// A key before every row.
    pub start: Key,
}

/// What the answer depends on beside the parameters.
pub struct ListRequest {
    uri: Uri,
    caller: Caller,
    format: ListFormat,
}

/// What the tables were like when the first page of a walk was read.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(from = "(i64, i64, i64)", into = "(i64, i64, i64)")]
struct WalkStart {
    position: i64,
    generation: i64,
    /// Time of the database in seconds.
    seconds: i64,
}

impl From<(i64, i64, i64)> for WalkStart {
    fn from((position, generation, seconds): (i64, i64, i64)) -> Self {
        Self { position, generation, seconds }
    }
}

impl From<WalkStart> for (i64, i64, i64) {
    fn from(WalkStart { position, generation, seconds }: WalkStart) -> Self {
        (position, generation, seconds)
    }
}

/// A rebuild is dated before its commit, and the clocks of nodes differ.
const REBUILD_LEEWAY: TimeDelta = TimeDelta::seconds(10);

impl FromRequestParts<RouterState> for ListRequest {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &RouterState) -> Result<Self, ApiError> {
        let uri = match parts.extensions.get::<axum::extract::OriginalUri>() {
            Some(original) => original.0.clone(),
            None => parts.uri.clone(),
        };
        let caller = Caller::from_request_parts(parts, app).await?;
        Ok(Self { uri, caller, format: ListFormat::preferred(&parts.headers) })
    }
}

impl RankedPage {
    /// Whether the whole list is asked for. 400 if a part is asked for too.
    fn is_whole(&self, format: ListFormat) -> Result<bool, ApiError> {
        let parts = [("limit", self.limit.is_some()), ("cursor", self.cursor.is_some())];
        if self.all != Some(true) {
            let asks_for_page = self.all == Some(false) || parts.iter().any(|(_, given)| *given);
            return Ok(format == ListFormat::JsonLines && !asks_for_page);
        }
        let errors = parts.into_iter().filter(|(_, given)| *given).map(|(field, _)| FieldError {
            field: field.to_owned(),
            message: "cannot be combined with all=true, which returns the whole list".to_owned(),
        });
        let errors: Vec<_> = errors.collect();
        if errors.is_empty() { Ok(true) } else { Err(ApiError::invalid(errors)) }
    }

    /// Where the walk began and the key of its last row. A cursor of an earlier version knows no start.
    fn position<Key: DeserializeOwned>(&self, page: &Page) -> Result<Option<(Option<WalkStart>, Key)>, ApiError> {
        match page.after::<(WalkStart, Key)>() {
            Ok(found) => Ok(found.map(|(start, key)| (Some(start), key))),
            Err(error) => page.after::<Key>().map_err(|_| error).map(|found| found.map(|key| (None, key))),
        }
    }
}

impl ListRequest {
    /// As [`Self::answer`], for rows that clients see as they are.
    pub async fn answer_rows<Key, Row, Query>(
        self,
        app: &App,
        page: RankedPage,
        list: RankedList<Key>,
        key: impl Fn(&Row) -> Key,
        query: Query,
    ) -> Result<Response, ApiError>
    where
        Key: Serialize + DeserializeOwned + Send + 'static,
        Row: Serialize + Send + 'static,
        Query: for<'c> Fn(&'c mut PgConnection, Key, Option<i64>) -> BoxStream<'c, Result<Row, sqlx::Error>>
            + Send
            + 'static,
    {
        self.answer(app, page, list, key, |row| row, query).await
    }

    /// Reads a page of the list, or streams all of it.
    ///
    /// `query` reads the rows after a key, all of them without a limit; `key` is that of a row, and `show` what the client
    /// sees of it.
    pub async fn answer<Key, Row, Shown, Query>(
        self,
        app: &App,
        page: RankedPage,
        list: RankedList<Key>,
        key: impl Fn(&Row) -> Key,
        show: impl Fn(Row) -> Shown + Send + 'static,
        query: Query,
    ) -> Result<Response, ApiError>
    where
        Key: Serialize + DeserializeOwned + Send + 'static,
        Row: Send + 'static,
        Shown: Serialize,
        Query: for<'c> Fn(&'c mut PgConnection, Key, Option<i64>) -> BoxStream<'c, Result<Row, sqlx::Error>>
            + Send
            + 'static,
    {
        let RankedList { rank, default_limit, start } = list;
        if page.is_whole(self.format)? {
            let (pool, caller) = (&app.pool, &self.caller);
            return app
                .whole_lists
                .stream(pool, caller, self.format, rank.tables, move |rows| query(rows, start, None), show)
                .await;
        }
        let parts = Page { limit: page.limit, cursor: page.cursor.clone() };
        let limit = parts.limit(default_limit)?;
        let (walk, after) = match page.position(&parts)? {
            Some((walk, after)) => (Some(walk), after),
            None => (None, start),
        };
        let mut connection = app.pool.acquire().await?;
        // Not later than what the query reads.
        let now = WalkStart {
            position: app.projector.position(),
            generation: app.journal.identity().generation,
            seconds: app.journal.clock().database_time().timestamp(),
        };
        let rows: Vec<Row> = query(&mut connection, after, Some(limit + 1)).try_collect().await?;
        let moved = match walk {
            None => false,
            Some(None) => true,
            Some(Some(start)) if start.generation != now.generation => true,
            Some(Some(start)) => has_moved(&mut connection, rank, start).await?,
        };
        let start = walk.flatten().unwrap_or(now);
        let page = PageOf::new(&self.uri, rows, limit, |row| (start, key(row)));
        let mut response = page.map(show).into_response();
        if moved {
            response.headers_mut().insert(HeaderName::from_static("walk-moved"), HeaderValue::from_static("true"));
        }
        Ok(response)
    }
}

/// Whether a row may have moved since the start of the walk. Asked after the rows were read: what they show is in the log.
async fn has_moved(connection: &mut PgConnection, rank: &Rank, start: WalkStart) -> Result<bool, ApiError> {
    let WalkStart { position, seconds, .. } = start;
    // A time that the database cannot compare was not made by the shop.
    let possible = DateTime::from_timestamp(seconds, 0).filter(|time| (1970..10_000).contains(&time.year()));
    let Some(time) = possible.map(|time| time - REBUILD_LEEWAY) else { return Ok(true) };
    let event_types: Vec<String> = event_types_of(rank.facts).into_iter().map(str::to_owned).collect();
    let tables: Vec<String> = rank.tables.iter().map(|table| (*table).to_owned()).collect();
    let moved = sqlx::query_file_scalar!("src/http/queries/walk_moved.sql", position, &event_types, &tables, time)
        .fetch_one(connection)
        .await?;
    Ok(moved)
}
