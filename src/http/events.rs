//! The log, as clients may read it: in pages, or as a stream that goes on.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{OriginalUri, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use chrono::{DateTime, Utc};
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::accounts::Identity;
use crate::http::App;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Page, PageOf, Params};
use crate::http::wire::{access, caller::Caller};

/// An event as it is stored.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StoredEvent {
    /// Place in the log, from 1, without gaps.
    pub position: i64,
    pub event_id: Uuid,
    pub recorded_at: DateTime<Utc>,
    pub aggregate_type: String,
    pub aggregate_id: String,
    pub sequence: i64,
    pub event_type: String,
    pub event_version: String,
    pub payload: Value,
    /// Who sent the command, and under which ids.
    pub metadata: Value,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventFilter {
    /// Begin after this position.
    after: Option<i64>,
    /// Only events of this type: `OrderPlaced`.
    r#type: Option<String>,
    /// Only events of one aggregate: `Order/17`.
    stream: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StreamStart {
    /// Begin after this position; `Last-Event-ID` goes before it.
    after: Option<i64>,
}

/// How many positions one page with a `type` looks through at the most. A page may be short, or even empty, and still
/// have a next one.
const SEARCHED: i64 = 10_000;

/// How many events are read at once for a stream.
const CHUNK: i64 = 500;

/// How often a stream looks for events of other nodes, of which it may not have been told.
const POLL: Duration = Duration::from_secs(1);

/// The log, or a part of it, in order
#[utoipa::path(get, path = "/events", tag = "log", security(("bearer" = ["reader"])), params(EventFilter, Page),
    responses((status = 200, body = Vec<StoredEvent>), (status = 400, body = Problem)))]
pub async fn list(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Params(filter): Params<EventFilter>,
    Params(page): Params<Page>,
) -> Result<PageOf<StoredEvent>, ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    let after: i64 = page.after()?.or(filter.after).unwrap_or(0);
    if let Some(stream) = &filter.stream {
        let Some((aggregate_type, aggregate_id)) = stream.split_once('/') else {
            return Err(ApiError::invalid_field("stream", "must be a type and an id, such as Order/17"));
        };
        let events = sqlx::query_file_as!(
            StoredEvent,
            "src/http/queries/events_of_stream.sql",
            aggregate_type,
            aggregate_id,
            after,
            filter.r#type,
            limit + 1
        );
        let events = events.fetch_all(&app.pool).await?;
        return Ok(PageOf::new(&uri, events, limit, |event: &StoredEvent| event.position));
    }
    let Some(event_type) = &filter.r#type else {
        let events = read_after(&app, after, limit + 1).await?;
        return Ok(PageOf::new(&uri, events, limit, |event| event.position));
    };
    let searched = after.saturating_add(SEARCHED);
    let events =
        sqlx::query_file_as!(StoredEvent, "src/http/queries/events_of_type.sql", after, searched, event_type, limit);
    let events = events.fetch_all(&app.pool).await?;
    let full = i64::try_from(events.len()).unwrap_or(i64::MAX) == limit;
    let next = match events.last() {
        Some(last) if full => Some(last.position),
        _ => (searched < app.journal.position()).then_some(searched),
    };
    Ok(PageOf::with_next(&uri, events, next))
}

/// The log as server-sent events, each with its position as id; goes on as long as the client listens and its token is good
#[utoipa::path(get, path = "/events/stream", tag = "log", security(("bearer" = ["reader"])), params(StreamStart),
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 400, body = Problem)))]
pub async fn stream(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Params(start): Params<StreamStart>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let resumed = match headers.get("last-event-id") {
        None => None,
        Some(id) => Some(
            id.to_str()
                .ok()
                .and_then(|id| id.parse().ok())
                .ok_or_else(|| ApiError::invalid_field("Last-Event-ID", "must be a position of the log"))?,
        ),
    };
    let after = resumed.or(start.after).unwrap_or(0);
    let (sender, receiver) = mpsc::channel(64);
    let identity = caller.identity()?;
    tokio::spawn(async move {
        // It ends when the client has gone away; a client that was cut off resumes where it was.
        if let Err(error) = follow(&app, after, &headers, identity, &sender).await {
            tracing::warn!(?error, "a stream of events was cut off");
        }
    });
    Ok(Sse::new(ReceiverStream::new(receiver)).keep_alive(KeepAlive::default()))
}

/// Ends, too, when the caller's token has expired or would be refused, or may do something else than at first.
async fn follow(
    app: &App,
    mut after: i64,
    headers: &HeaderMap,
    identity: Identity,
    sender: &mpsc::Sender<Result<Event, Infallible>>,
) -> Result<(), ApiError> {
    let mut head = app.journal.head();
    while access::identify(app, headers).await.is_ok_and(|now| now == Some(identity)) {
        let events = read_on(app, after).await?;
        for event in &events {
            after = event.position;
            let shown = Event::default().id(event.position.to_string()).event(&event.event_type);
            let Ok(shown) = shown.json_data(event) else { continue };
            if sender.send(Ok(shown)).await.is_err() {
                return Ok(());
            }
        }
        if events.is_empty() {
            tokio::select! {
                _ = head.wait_for(|head| *head > after) => {}
                () = tokio::time::sleep(POLL) => {}
                () = sender.closed() => return Ok(()),
                () = app.stopping() => return Ok(()),
            }
        }
    }
    Ok(())
}

/// Reads for a stream. Any number of streams leaves most of the pool to everybody else.
async fn read_on(app: &App, after: i64) -> Result<Vec<StoredEvent>, ApiError> {
    static READS: Semaphore = Semaphore::const_new(4);
    // Never closed.
    let _permit = READS.acquire().await.ok();
    read_after(app, after, CHUNK).await
}

async fn read_after(app: &App, after: i64, limit: i64) -> Result<Vec<StoredEvent>, ApiError> {
    let events = sqlx::query_file_as!(StoredEvent, "src/http/queries/events.sql", after, limit);
    Ok(events.fetch_all(&app.pool).await?)
}
