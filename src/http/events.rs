//! The event log, in pages or as a stream of server-sent events.

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
    /// Position in the log, from 1, without gaps.
    pub position: i64,
    pub event_id: Uuid,
    pub recorded_at: DateTime<Utc>,
    pub aggregate_type: String,
    pub aggregate_id: String,
    pub sequence: i64,
    pub event_type: String,
    pub event_version: String,
    pub payload: Value,
    /// Actor, correlation and causation ids.
    pub metadata: Value,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventFilter {
    /// Return events after this position.
    after: Option<i64>,
    /// Only events of this type, such as `OrderPlaced`.
    r#type: Option<String>,
    /// Only events of this aggregate, such as `Order/17`.
    stream: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StreamStart {
    /// Return events after this position; `Last-Event-ID` takes precedence.
    after: Option<i64>,
}

/// Positions that a page with a `type` searches at most. A page may be short, or even empty, and still have a next page.
const SEARCHED_POSITIONS: i64 = 10_000;

/// Events that a stream reads at once.
const STREAM_BATCH: i64 = 500;

/// How often a stream polls for events of other nodes, whose notification may be lost.
const POLL: Duration = Duration::from_secs(1);

/// List events of the log, in order
#[utoipa::path(get, path = "/events", tag = "log", security(("bearer" = ["reader"])), params(EventFilter, Page),
    responses((status = 200, body = Vec<StoredEvent>), (status = 400, body = Problem)))]
pub async fn list_events(
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
    let searched = after.saturating_add(SEARCHED_POSITIONS);
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

/// Stream the log as server-sent events
///
/// The id of each event is its position. The stream ends when the client disconnects or its token is no longer valid.
#[utoipa::path(get, path = "/events/stream", tag = "log", security(("bearer" = ["reader"])), params(StreamStart),
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 400, body = Problem)))]
pub async fn stream_events(
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
        // Ends when the client disconnects; a client that reconnects resumes after its last event.
        if let Err(error) = send_events(&app, after, &headers, identity, &sender).await {
            tracing::warn!(?error, "an event stream broke");
        }
    });
    Ok(Sse::new(ReceiverStream::new(receiver)).keep_alive(KeepAlive::default()))
}

/// Sends events until the client disconnects or the caller's token expires, is revoked or changes its rights.
async fn send_events(
    app: &App,
    mut after: i64,
    headers: &HeaderMap,
    identity: Identity,
    sender: &mpsc::Sender<Result<Event, Infallible>>,
) -> Result<(), ApiError> {
    let mut head = app.journal.head();
    while access::identify(app, headers).await.is_ok_and(|now| now == Some(identity)) {
        let events = read_batch(app, after).await?;
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

/// Reads events for a stream; all streams together use at most four connections of the pool.
async fn read_batch(app: &App, after: i64) -> Result<Vec<StoredEvent>, ApiError> {
    static READS: Semaphore = Semaphore::const_new(4);
    // Never closed.
    let _permit = READS.acquire().await.ok();
    read_after(app, after, STREAM_BATCH).await
}

async fn read_after(app: &App, after: i64, limit: i64) -> Result<Vec<StoredEvent>, ApiError> {
    let events = sqlx::query_file_as!(StoredEvent, "src/http/queries/events.sql", after, limit);
    Ok(events.fetch_all(&app.pool).await?)
}
