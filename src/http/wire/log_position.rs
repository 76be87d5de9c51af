//! Places of readers in the log: 410 for a place that this log does not have, so that the reader notices a restore.

use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponseParts, ResponseParts};
use serde_json::json;

use crate::http::app::App;
use crate::http::wire::error::ApiError;
use crate::journal::{LogIdentity, LogState, StreamPosition};

/// Headers of every answer with events: `Log-Id` and `Log-Generation`.
pub struct LogHeaders(pub LogIdentity);

impl IntoResponseParts for LogHeaders {
    type Error = std::convert::Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Self::Error> {
        let LogIdentity { log_id, generation } = self.0;
        if let Ok(log_id) = HeaderValue::from_str(&log_id.to_string()) {
            parts.headers_mut().insert(HeaderName::from_static("log-id"), log_id);
        }
        parts.headers_mut().insert(HeaderName::from_static("log-generation"), generation.into());
        Ok(parts)
    }
}

/// Reads the state of the log; 410 if it has another generation than `place`, or ends before it.
pub async fn require_place(app: &App, place: StreamPosition) -> Result<LogState, ApiError> {
    let state = app.journal.log_state().await?;
    let other = place.generation.is_some_and(|generation| generation != state.identity.generation);
    if other || place.position > state.position { Err(gone(place, &state)) } else { Ok(state) }
}

/// As [`require_place`], but only for a place that this node does not know to be in the log. A bare position passes.
pub async fn require_known_place(app: &App, place: StreamPosition) -> Result<(), ApiError> {
    let (generation, position) = (app.journal.identity().generation, app.journal.position());
    if place.generation.is_none_or(|named| named == generation && place.position <= position) {
        return Ok(());
    }
    require_place(app, place).await.map(drop)
}

/// 410: what the reader has is not in this log. The members say what it can rely on.
fn gone(place: StreamPosition, state: &LogState) -> ApiError {
    let LogState { identity: LogIdentity { log_id, generation }, position, began_after, .. } = state;
    let restored = match generation {
        1 => String::new(),
        _ => format!("; an older database was restored, and only events up to position {began_after} are as before"),
    };
    let detail =
        format!("the log has no position {place}: it is in generation {generation} and ends at {position}{restored}");
    ApiError::new(StatusCode::GONE, "position_gone", "Position not in the log", detail)
        .with("log_id", json!(log_id))
        .with("generation", json!(generation))
        .with("head", json!(position))
        .with("began_after", json!(began_after))
}
