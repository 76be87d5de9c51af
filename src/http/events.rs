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
use crate::domain::event_types::{ALL, is_event_name};
use crate::http::App;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::log_position::{LogHeaders, require_place};
use crate::http::wire::page::{DEFAULT_LIMIT, Page, PageOf, Params};
use crate::http::wire::{access, caller::Caller};
use crate::journal::{LogIdentity, MalformedPosition, StreamPosition};

/// An event as it is stored.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StoredEvent {
    /// Generation and position: where a reader that has this event resumes.
    #[schema(example = "1-1045")]
    pub id: String,
    /// The log, the same for the life of a shop.
    pub log_id: Uuid,
    /// Generation of the log; a restored older database begins the next.
    pub generation: i64,
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

/// An event as a query returns it.
struct EventRow {
    position: i64,
    event_id: Uuid,
    recorded_at: DateTime<Utc>,
    aggregate_type: String,
    aggregate_id: String,
    sequence: i64,
    event_type: String,
    event_version: String,
    payload: Value,
    metadata: Value,
}

impl EventRow {
    fn of(self, LogIdentity { log_id, generation }: LogIdentity) -> StoredEvent {
        let id = StreamPosition::of(generation, self.position).to_string();
        let Self { position, event_id, recorded_at, aggregate_type, aggregate_id, sequence, .. } = self;
        let Self { event_type, event_version, payload, metadata, .. } = self;
        StoredEvent {
            id,
            log_id,
            generation,
            position,
            event_id,
            recorded_at,
            aggregate_type,
            aggregate_id,
            sequence,
            event_type,
            event_version,
            payload,
            metadata,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventFilter {
    /// Return events after this one: its `id`, or its position alone.
    #[param(value_type = Option<String>, pattern = "^([1-9][0-9]{0,17}-)?[0-9]{1,18}$", example = "1-1045")]
    after: Option<StreamPosition>,
    /// Only events of this type, such as `OrderPlaced`; 400 for a name that no event has.
    r#type: Option<String>,
    /// Only events of this aggregate, such as `Order/17`.
    stream: Option<String>,
}

impl EventFilter {
    fn check_type(&self) -> Result<(), ApiError> {
        match &self.r#type {
            Some(name) if !is_event_name(name) => {
                Err(ApiError::invalid_field("type", format!("names an unknown event: {name}")))
            }
            _ => Ok(()),
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StreamStart {
    /// Return events after this one: its `id`, or its position alone; `Last-Event-ID` takes precedence.
    #[param(value_type = Option<String>, pattern = "^([1-9][0-9]{0,17}-)?[0-9]{1,18}$", example = "1-1045")]
    after: Option<StreamPosition>,
}

/// The first place of a reader.
const START: StreamPosition = StreamPosition { generation: None, position: 0 };

/// Positions that a page with a `type` searches at most. A page may be short, or even empty, and still have a next page.
const SEARCHED_POSITIONS: i64 = 10_000;

/// Events that a stream reads at once.
const STREAM_BATCH: i64 = 500;

/// How often a stream polls for events of other nodes, whose notification may be lost.
const POLL: Duration = Duration::from_secs(1);

/// List events of the log, in order
///
/// The headers `Log-Id` and `Log-Generation` name the log. A reader beyond its end, or of another generation, gets 410
/// with `log_id`, `generation`, `head` and `began_after`: an older database was restored, and only events up to
/// `began_after` are those that the reader has.
#[utoipa::path(get, path = "/events", tag = "log", security(("bearer" = ["reader"])), params(EventFilter, Page),
    responses((status = 200, body = Vec<StoredEvent>), (status = 400, body = Problem), (status = 410, body = Problem)))]
pub async fn list_events(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Params(filter): Params<EventFilter>,
    Params(page): Params<Page>,
) -> Result<(LogHeaders, PageOf<StoredEvent>), ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    filter.check_type()?;
    let place = page.after()?.or(filter.after).unwrap_or(START);
    let log = require_place(&app, place).await?;
    let (identity, after) = (log.identity, place.position);
    let place_of = |position| StreamPosition::of(identity.generation, position);
    if let Some(stream) = &filter.stream {
        let Some((aggregate_type, aggregate_id)) = stream.split_once('/') else {
            return Err(ApiError::invalid_field("stream", "must be a type and an id, such as Order/17"));
        };
        if !ALL.iter().any(|events| events.aggregate_type == aggregate_type) {
            return Err(ApiError::invalid_field("stream", format!("names an unknown aggregate: {aggregate_type}")));
        }
        let events = sqlx::query_file_as!(
            EventRow,
            "src/http/queries/events_of_stream.sql",
            aggregate_type,
            aggregate_id,
            after,
            filter.r#type,
            limit + 1,
            identity.generation
        );
        let events = events.fetch_all(&app.pool).await?;
        let page = PageOf::new(&uri, events, limit, |event: &EventRow| place_of(event.position));
        return Ok((LogHeaders(identity), page.map(|event| event.of(identity))));
    }
    let Some(event_type) = &filter.r#type else {
        let events = read_after(&app, after, limit + 1, identity).await?;
        let page = PageOf::new(&uri, events, limit, |event| place_of(event.position));
        return Ok((LogHeaders(identity), page));
    };
    let searched = after.saturating_add(SEARCHED_POSITIONS);
    let events = sqlx::query_file_as!(
        EventRow,
        "src/http/queries/events_of_type.sql",
        after,
        searched,
        event_type,
        limit,
        identity.generation
    );
    let events = events.fetch_all(&app.pool).await?;
    let full = i64::try_from(events.len()).unwrap_or(i64::MAX) == limit;
    let next = match events.last() {
        Some(last) if full => Some(last.position),
        _ => (searched < log.position).then_some(searched),
    };
    let page = PageOf::with_next(&uri, events, next.map(place_of));
    Ok((LogHeaders(identity), page.map(|event| event.of(identity))))
}

/// Stream the log as server-sent events
///
/// The id of each event is `<generation>-<position>`; a bare position is accepted too. The stream ends when the client
/// disconnects, its token is no longer valid, or an older database was restored. A reader beyond the end of the log, or
/// of another generation, gets 410 as from `GET events/`.
#[utoipa::path(get, path = "/events/stream", tag = "log", security(("bearer" = ["reader"])), params(StreamStart),
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 400, body = Problem),
        (status = 410, body = Problem)))]
pub async fn stream_events(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Params(start): Params<StreamStart>,
) -> Result<(LogHeaders, Sse<impl Stream<Item = Result<Event, Infallible>>>), ApiError> {
    let resumed = match headers.get("last-event-id") {
        None => None,
        Some(id) => Some(
            id.to_str()
                .ok()
                .and_then(|id| id.parse().ok())
                .ok_or_else(|| ApiError::invalid_field("Last-Event-ID", MalformedPosition.to_string()))?,
        ),
    };
    let place = resumed.or(start.after).unwrap_or(START);
    let log_identity = require_place(&app, place).await?.identity;
    let (sender, receiver) = mpsc::channel(64);
    let identity = caller.identity()?;
    tokio::spawn(async move {
        // Ends when the client disconnects; a client that reconnects resumes after its last event.
        if let Err(error) = send_events(&app, place.position, log_identity, &headers, identity, &sender).await {
            tracing::warn!(?error, "an event stream broke");
        }
    });
    let events = Sse::new(ReceiverStream::new(receiver)).keep_alive(KeepAlive::default());
    Ok((LogHeaders(log_identity), events))
}

/// Sends events until the client disconnects, the log has another generation, or the caller's token expires, is revoked
/// or changes its rights.
async fn send_events(
    app: &App,
    mut after: i64,
    log_identity: LogIdentity,
    headers: &HeaderMap,
    identity: Identity,
    sender: &mpsc::Sender<Result<Event, Infallible>>,
) -> Result<(), ApiError> {
    let mut head = app.journal.head();
    let mut generations = app.journal.identity_changes();
    while access::identify(app, headers).await.is_ok_and(|now| now == Some(identity)) {
        if *generations.borrow_and_update() != log_identity {
            break;
        }
        let events = read_batch(app, after, log_identity).await?;
        for event in &events {
            after = event.position;
            let shown = Event::default().id(&event.id).event(&event.event_type);
            let Ok(shown) = shown.json_data(event) else { continue };
            if sender.send(Ok(shown)).await.is_err() {
                return Ok(());
            }
        }
        if events.is_empty() {
            tokio::select! {
                _ = head.wait_for(|head| *head > after) => {}
                _ = generations.changed() => {}
                () = tokio::time::sleep(POLL) => {}
                () = sender.closed() => return Ok(()),
                () = app.stopping() => return Ok(()),
            }
        }
    }
    Ok(())
}

/// Reads events for a stream; all streams together use at most four connections of the pool.
async fn read_batch(app: &App, after: i64, identity: LogIdentity) -> Result<Vec<StoredEvent>, ApiError> {
    static READS: Semaphore = Semaphore::const_new(4);
    // Never closed.
    let _permit = READS.acquire().await.ok();
    read_after(app, after, STREAM_BATCH, identity).await
}

async fn read_after(app: &App, after: i64, limit: i64, identity: LogIdentity) -> Result<Vec<StoredEvent>, ApiError> {
    let events = sqlx::query_file_as!(EventRow, "src/http/queries/events.sql", after, limit, identity.generation);
    Ok(events.fetch_all(&app.pool).await?.into_iter().map(|event| event.of(identity)).collect())
}
