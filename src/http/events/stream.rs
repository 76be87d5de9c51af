//! The log as a stream of server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use serde::Deserialize;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use utoipa::IntoParams;

use super::{START, StoredEvent, read_after};
use crate::accounts::Identity;
use crate::http::App;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::log_position::{LogHeaders, require_place};
use crate::http::wire::page::Params;
use crate::http::wire::{access, caller::Caller};
use crate::journal::{LogIdentity, MalformedPosition, StreamPosition};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StreamStart {
    /// Return events after this one: its `id`, or its position alone; `Last-Event-ID` takes precedence.
    #[param(value_type = Option<String>, pattern = "^([1-9][0-9]{0,17}-)?[0-9]{1,18}$", example = "1-1045")]
    after: Option<StreamPosition>,
}

/// Events that a stream reads at once.
const STREAM_BATCH: i64 = 500;

/// How often a stream polls for events of other nodes, whose notification may be lost.
const POLL: Duration = Duration::from_secs(1);

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
