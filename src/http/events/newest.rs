//! Events of the log, newest first.

use axum::http::Uri;

use super::{EventFilter, EventRow, SEARCHED_POSITIONS, START, StoredEvent, read_after};
use crate::http::App;
use crate::http::wire::error::ApiError;
use crate::http::wire::log_position::{LogHeaders, require_place};
use crate::http::wire::page::{Page, PageOf};
use crate::journal::StreamPosition;

/// A page of events before the cursor and after `filter.after`, newest first.
pub(super) async fn list(
    app: &App,
    uri: &Uri,
    filter: &EventFilter,
    page: &Page,
    limit: i64,
) -> Result<(LogHeaders, PageOf<StoredEvent>), ApiError> {
    let cursor: Option<StreamPosition> = page.after()?;
    let log = require_place(app, cursor.or(filter.after).unwrap_or(START)).await?;
    let identity = log.identity;
    let lowest = filter.after.unwrap_or(START).position;
    let before = cursor.map_or(log.position.saturating_add(1), |cursor| cursor.position);
    let place_of = |position| StreamPosition::of(identity.generation, position);
    if let Some((aggregate_type, aggregate_id)) = filter.stream()? {
        let events = sqlx::query_file_as!(
            EventRow,
            "src/http/queries/newest_events_of_stream.sql",
            aggregate_type,
            aggregate_id,
            lowest,
            before,
            filter.r#type,
            identity.generation,
            limit + 1
        );
        let events = events.fetch_all(&app.pool).await?;
        let page = PageOf::new(uri, events, limit, |event: &EventRow| place_of(event.position));
        return Ok((LogHeaders(identity), page.map(|event| event.of(identity))));
    }
    let Some(event_type) = &filter.r#type else {
        // Positions have no gaps.
        let after = before.saturating_sub(1).saturating_sub(limit).max(lowest);
        let mut events =
            read_after(app, after, before.saturating_sub(1).saturating_sub(after).max(0), identity).await?;
        events.reverse();
        let next = (after > lowest).then(|| place_of(after.saturating_add(1)));
        return Ok((LogHeaders(identity), PageOf::with_next(uri, events, next)));
    };
    let searched = before.saturating_sub(1).saturating_sub(SEARCHED_POSITIONS).max(lowest);
    let events = sqlx::query_file_as!(
        EventRow,
        "src/http/queries/newest_events_of_type.sql",
        searched,
        before,
        event_type,
        limit,
        identity.generation
    );
    let events = events.fetch_all(&app.pool).await?;
    let full = i64::try_from(events.len()).unwrap_or(i64::MAX) == limit;
    let next = match events.last() {
        Some(last) if full => Some(last.position),
        _ => (searched > lowest).then(|| searched.saturating_add(1)),
    };
    let page = PageOf::with_next(uri, events, next.map(place_of));
    Ok((LogHeaders(identity), page.map(|event| event.of(identity))))
}
