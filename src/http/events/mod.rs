//! The event log, in pages or as a stream of server-sent events.

use axum::extract::{OriginalUri, State};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::domain::event_types::{ALL, is_event_name};
use crate::http::App;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::log_position::{LogHeaders, require_place};
use crate::http::wire::page::{DEFAULT_LIMIT, Page, PageOf, Params};
use crate::journal::{LogIdentity, StreamPosition};

mod newest;
pub mod stream;

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
    /// `true` returns the newest event first.
    newest_first: Option<bool>,
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

    /// Type and id of the aggregate.
    fn stream(&self) -> Result<Option<(&str, &str)>, ApiError> {
        let Some(stream) = &self.stream else { return Ok(None) };
        let Some((aggregate_type, aggregate_id)) = stream.split_once('/') else {
            return Err(ApiError::invalid_field("stream", "must be a type and an id, such as Order/17"));
        };
        if !ALL.iter().any(|events| events.aggregate_type == aggregate_type) {
            return Err(ApiError::invalid_field("stream", format!("names an unknown aggregate: {aggregate_type}")));
        }
        Ok(Some((aggregate_type, aggregate_id)))
    }
}

/// The first place of a reader.
const START: StreamPosition = StreamPosition { generation: None, position: 0 };

/// Positions that a page with a `type` searches at most. A page may be short, or even empty, and still have a next page.
const SEARCHED_POSITIONS: i64 = 10_000;

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
    if filter.newest_first == Some(true) {
        return newest::list(&app, &uri, &filter, &page, limit).await;
    }
    let place = page.after()?.or(filter.after).unwrap_or(START);
    let log = require_place(&app, place).await?;
    let (identity, after) = (log.identity, place.position);
    let place_of = |position| StreamPosition::of(identity.generation, position);
    if let Some((aggregate_type, aggregate_id)) = filter.stream()? {
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

async fn read_after(app: &App, after: i64, limit: i64, identity: LogIdentity) -> Result<Vec<StoredEvent>, ApiError> {
    let events = sqlx::query_file_as!(EventRow, "src/http/queries/events.sql", after, limit, identity.generation);
    Ok(events.fetch_all(&app.pool).await?.into_iter().map(|event| event.of(identity)).collect())
}
