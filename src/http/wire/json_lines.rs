//! Bodies of JSON lines: one JSON object a line, each a row of its own.

use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_TYPE, IF_MATCH};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use crate::http::wire::body::{FromObject, read_bytes, read_object};
use crate::http::wire::command::{CommandHead, CommandParams};
use crate::http::wire::error::ApiError;
use crate::http::wire::page::read_query;
use crate::http::wire::snapshot::RouterState;
use crate::journal::Context;

/// Body of a request with rows.
pub const ROWS_BODY_BYTES: usize = 10 * 1024 * 1024;
/// Rows of a request.
const MAX_ROWS: usize = 10_000;
/// Rows of a request that is carried out completely or not at all, and of a dry run.
const MAX_ROWS_AT_ONCE: usize = 1_000;

/// The media types of JSON lines.
const MEDIA_TYPES: [&str; 3] = ["application/x-ndjson", "application/jsonl", "application/ndjson"];

/// The rows of a request, each with its line, and its problem if it cannot be read.
pub struct Rows<T> {
    pub rows: Vec<(u64, Result<T, Value>)>,
    pub atomic: bool,
    pub context: Context,
    /// The right to send rows. It ends when this is dropped.
    pub permit: OwnedSemaphorePermit,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct RowsQuery {
    /// `true` carries out all rows or none, up to 1,000. Otherwise each row is carried out or refused alone.
    #[serde(default)]
    atomic: bool,
}

/// Headers and parameters of commands with rows, for OpenAPI.
pub struct RowsParams;

impl IntoParams for RowsParams {
    fn into_params(parameter_in: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let of_commands = ManyParams::into_params(parameter_in);
        of_commands.into_iter().chain(RowsQuery::into_params(|| Some(ParameterIn::Query))).collect()
    }
}

/// Headers and parameters of commands on many products: those of every command but `If-Match`, for OpenAPI.
pub struct ManyParams;

impl IntoParams for ManyParams {
    fn into_params(parameter_in: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let of_commands = CommandParams::into_params(parameter_in);
        of_commands.into_iter().filter(|parameter| parameter.name != "If-Match").collect()
    }
}

impl<T: FromObject> FromRequest<RouterState> for Rows<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &RouterState) -> Result<Self, ApiError> {
        let permit = state.whole_lists.admit_rows()?;
        let RowsQuery { atomic } = read_query(request.uri())?;
        check_media_type(request.headers())?;
        let head = CommandHead::of(&request)?;
        let bytes = read_bytes(request, state).await?;
        let context = head.context(state, &bytes)?;
        refuse_if_match(&context)?;
        let rows = read_rows(&bytes);
        let most = if atomic || context.dry_run { MAX_ROWS_AT_ONCE } else { MAX_ROWS };
        if rows.is_empty() || rows.len() > most {
            let message = format!("must have 1 to {most} rows, and has {}", rows.len());
            return Err(ApiError::invalid_field("body", message));
        }
        if atomic && let Some((line, problem)) = rows.iter().find_map(|(line, row)| Some((line, row.as_ref().err()?))) {
            let detail = problem["detail"].as_str().unwrap_or_default();
            return Err(ApiError::invalid_field(format!("line {line}"), detail));
        }
        Ok(Self { rows, atomic, context, permit })
    }
}

/// 400 for a precondition, which has no meaning for many resources.
pub fn refuse_if_match(context: &Context) -> Result<(), ApiError> {
    match context.if_match {
        Some(_) => Err(ApiError::invalid_field(IF_MATCH.as_str(), "cannot be sent with a command on many products")),
        None => Ok(()),
    }
}

fn check_media_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if MEDIA_TYPES.contains(&kind.as_str()) {
        return Ok(());
    }
    let detail = "the body must be JSON lines, with the header Content-Type: application/x-ndjson";
    Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "Unsupported media type", detail))
}

/// The rows of a body, without empty lines.
fn read_rows<T: FromObject>(bytes: &[u8]) -> Vec<(u64, Result<T, Value>)> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let lines = bytes.split(|byte| *byte == b'\n').zip(1..);
    let lines = lines.filter(|(line, _)| !line.trim_ascii().is_empty());
    let rows = lines.map(|(line, number)| (number, read_object(line).map_err(|error| error.problem())));
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::wire::body::body;

    body! {
        pub struct Sample {
            pub count: i64,
        }
    }

    #[test]
    fn each_line_is_a_row_with_its_own_problem() {
        let body = b"\xef\xbb\xbf{\"count\": 1}\r\n\n{\"count\": \"x\"}\n[1]\n{\"count\": 2, \"more\": 3}\n{\"count\n\xff\n{\"count\":4}";
        let rows = read_rows::<Sample>(body);
        let shown = rows.iter().map(|(line, row)| match row {
            Ok(sample) => format!("{line}: {}", sample.count),
            Err(problem) => format!("{line}: {} {}", problem["code"], problem["status"]),
        });
        assert_eq!(
            shown.collect::<Vec<_>>(),
            [
                "1: 1",
                "3: \"invalid_request\" 400",
                "4: \"invalid_request\" 400",
                "5: \"invalid_request\" 400",
                "6: \"invalid_json\" 400",
                "7: \"invalid_json\" 400",
                "8: 4"
            ]
        );
    }
}
