//! Commands: the headers and parameters that every command accepts, and how its receipt becomes a response.

use axum::Json;
use axum::extract::{FromRequest, Request};
use axum::http::header::{IF_MATCH, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, IntoResponses};

use crate::http::App;
use crate::http::edge::request_id::RequestIds;
use crate::http::wire::body::{self, FromObject};
use crate::http::wire::caller::Caller;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::read_query;
use crate::http::wire::query;
use crate::http::wire::snapshot::RouterState;
use crate::http::wire::unchanged;
use crate::journal::{CommandError, Context, EntityTag, IdempotencyKey, NewEvent, Receipt, UseCase};

/// A command's body and its context: caller, ids, idempotency key, `If-Match`, dry run.
pub struct Command<T> {
    pub body: T,
    pub context: Context,
}

impl<T> Command<T> {
    /// Maps the body and keeps the context.
    pub fn map<B>(self, map: impl FnOnce(T) -> B) -> Command<B> {
        Command { body: map(self.body), context: self.context }
    }
}

/// The response to a command.
pub struct CommandResponse<A> {
    receipt: Receipt<A>,
    status: StatusCode,
    location: Option<String>,
    dry_run: bool,
}

/// Headers and parameters of every command, for OpenAPI.
pub struct CommandParams;

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it only describes the headers for OpenAPI")]
struct CommandHeaders {
    /// 1 to 255 characters. For 24 hours, a repeated request with the same key returns the first response.
    #[param(rename = "Idempotency-Key", pattern = "^[ \\t]*[!-~]([ -~]{0,253}[!-~])?[ \\t]*$", nullable = false)]
    idempotency_key: Option<String>,
    /// The `ETag` that the client last read; 412 if what it showed has changed since. A number alone, such as `"3"`,
    /// compares the version of the resource and not the names and prices that it shows.
    #[param(
        rename = "If-Match",
        pattern = r#"^[ \t]*("([1-9][0-9]{0,8}\.)?[0-9]{1,18}(-[0-9a-f]{16})?"|\*)[ \t]*$"#,
        nullable = false
    )]
    if_match: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct CommandQuery {
    /// `true` carries out the command, returns its response and events, and undoes it.
    #[serde(default)]
    dry_run: bool,
}

impl IntoParams for CommandParams {
    fn into_params(_parameter_in: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let headers = CommandHeaders::into_params(|| Some(ParameterIn::Header));
        headers.into_iter().chain(CommandQuery::into_params(|| Some(ParameterIn::Query))).collect()
    }
}

/// The error responses of every command.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it only describes the answers for OpenAPI")]
pub enum CommandProblems {
    /// The request is unreadable or out of range; `errors` names the fields
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(#[to_schema] Problem),
    /// The resource in the path does not exist
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(#[to_schema] Problem),
    /// A business rule forbids the command in the current state, or the body names something that does not exist
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(#[to_schema] Problem),
    /// The resource has changed since the version in `If-Match`
    #[response(status = 412, content_type = "application/problem+json")]
    Stale(#[to_schema] Problem),
    /// The body is larger than 1 MiB, or an image or rows larger than 10 MiB
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(#[to_schema] Problem),
    /// The body is not of the media type of the route, or is compressed
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(#[to_schema] Problem),
    /// The idempotency key or the reference was used for another request
    #[response(status = 422, content_type = "application/problem+json")]
    KeyReused(#[to_schema] Problem),
    /// The database is unavailable or the shop is too busy; retry after `Retry-After` seconds
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(#[to_schema] Problem),
}

impl<T: FromObject> FromRequest<RouterState> for Command<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &RouterState) -> Result<Self, ApiError> {
        read_command(request, app).await
    }
}

async fn read_command<T: FromObject>(request: Request, app: &App) -> Result<Command<T>, ApiError> {
    let (head, headers) = (CommandHead::of(&request)?, request.headers().clone());
    let bytes = body::read_bytes(request, app).await?;
    let body = body::parse_body(&headers, &bytes)?;
    Ok(Command { body, context: head.context(app, &bytes)? })
}

/// What a command has besides its body.
pub struct CommandHead {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    context: Context,
}

impl CommandHead {
    pub fn of(request: &Request) -> Result<Self, ApiError> {
        let caller = request.extensions().get::<Caller>().cloned();
        let caller = caller.ok_or_else(|| ApiError::internal("a command is outside the access check"))?;
        let RequestIds { request_id, correlation_id } = RequestIds::of(request);
        let context = Context { request_id, correlation_id, ..caller.context() };
        let (method, uri, headers) = (request.method().clone(), request.uri().clone(), request.headers().clone());
        Ok(Self { method, uri, headers, context })
    }

    /// The context of the command. Another `content` makes it another request.
    pub fn context(self, app: &App, content: &[u8]) -> Result<Context, ApiError> {
        let Self { method, uri, headers, mut context } = self;
        let CommandQuery { dry_run } = read_query(&uri)?;
        context.dry_run = dry_run;
        context.if_match = if_match(&headers, app.journal.identity().generation)?;
        let mut identity = vec![method.as_str().as_bytes(), uri.path().as_bytes(), content];
        // With another parameter of its route it is another request.
        let own_query = query::without(uri.query().unwrap_or_default(), "dry_run");
        if !own_query.is_empty() {
            identity.push(own_query.as_bytes());
        }
        context.idempotency = idempotency(&context.principal, &headers, &identity)?;
        Ok(context)
    }
}

/// A command with query parameters of its own, beside those of every command.
pub struct CommandWith<T, Q> {
    pub body: T,
    pub context: Context,
    pub query: Q,
}

impl<T: FromObject, Q: DeserializeOwned + Send> FromRequest<RouterState> for CommandWith<T, Q> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &RouterState) -> Result<Self, ApiError> {
        let query = read_query(request.uri())?;
        let Command { body, context } = read_command(request, app).await?;
        Ok(Self { body, context, query })
    }
}

/// The tag that `If-Match` names; `*` names any.
fn if_match(headers: &HeaderMap, generation: i64) -> Result<Option<EntityTag>, ApiError> {
    let Some(value) = headers.get(IF_MATCH) else { return Ok(None) };
    let value = value.to_str().unwrap_or_default().trim();
    if value == "*" {
        return Ok(None);
    }
    let tag = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or_default();
    let (read_in, tag) = unchanged::split_generation(tag);
    let tag: Option<EntityTag> = tag.parse().ok();
    // A version of another generation of the log is another state.
    let tag = tag.map(|tag| if read_in == Some(generation) { tag } else { EntityTag::UNKNOWN });
    tag.map(Some).ok_or_else(|| ApiError::invalid_field("If-Match", "must be an ETag of this shop, such as \"3\""))
}

/// The key of the request. `identity` is what makes another request with the same key a different one.
fn idempotency(principal: &str, headers: &HeaderMap, identity: &[&[u8]]) -> Result<Option<IdempotencyKey>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().unwrap_or_default();
    if key.is_empty() || key.len() > 255 || key.contains('\t') {
        return Err(ApiError::invalid_field("Idempotency-Key", "must have 1 to 255 printable ASCII characters"));
    }
    Ok(Some(IdempotencyKey::new(principal, key, identity)))
}

impl App {
    /// Runs a use case. Later reads of its caller wait for its effects.
    pub async fn run<U: UseCase>(&self, use_case: U, context: Context) -> Result<CommandResponse<U::Answer>, ApiError> {
        Ok(self.try_run(use_case, context).await?)
    }

    /// Runs a use case like [`run`](Self::run), for callers that explain its refusals.
    pub async fn try_run<U: UseCase>(
        &self,
        use_case: U,
        context: Context,
    ) -> Result<CommandResponse<U::Answer>, CommandError> {
        let readers = [Some(context.principal.clone()), context.reader.clone()];
        let dry_run = context.dry_run;
        // If the generation changes meanwhile, the position may be one of the log before.
        let generation = self.journal.identity().generation;
        let receipt = self.journal.run(use_case, context).await?;
        if !dry_run {
            for reader in readers.into_iter().flatten() {
                self.recent_writes.record_write(&reader, generation, receipt.position);
            }
        }
        Ok(CommandResponse { receipt, status: StatusCode::OK, location: None, dry_run })
    }

    /// Answers a command that stores nothing.
    pub fn answer<A>(&self, answer: A, context: &Context) -> CommandResponse<A> {
        let receipt = Receipt { answer, position: self.journal.position(), replayed: false, events: vec![] };
        CommandResponse { receipt, status: StatusCode::OK, location: None, dry_run: context.dry_run }
    }
}

impl<A> CommandResponse<A> {
    pub fn into_receipt(self) -> Receipt<A> {
        self.receipt
    }

    /// Whether an idempotent request was replayed.
    pub fn replayed(&self) -> bool {
        self.receipt.replayed
    }

    pub fn answer(&self) -> &A {
        &self.receipt.answer
    }

    /// 202: the command is accepted, and takes effect later.
    pub fn accepted(mut self) -> Self {
        self.status = StatusCode::ACCEPTED;
        self
    }

    /// 200 with `Idempotent-Replayed`: an earlier request already had this effect.
    pub fn repeated(mut self) -> Self {
        self.receipt.replayed = true;
        self
    }

    /// Maps the answer and keeps the receipt.
    pub fn map<B>(self, map: impl FnOnce(A) -> B) -> CommandResponse<B> {
        let Receipt { answer, position, replayed, events } = self.receipt;
        let receipt = Receipt { answer: map(answer), position, replayed, events };
        CommandResponse { receipt, status: self.status, location: self.location, dry_run: self.dry_run }
    }

    /// 201 with the `Location` of the new resource.
    pub fn created(mut self, location: impl FnOnce(&A) -> String) -> Self {
        self.status = StatusCode::CREATED;
        self.location = Some(location(&self.receipt.answer));
        self
    }
}

impl<A: Serialize> IntoResponse for CommandResponse<A> {
    fn into_response(self) -> Response {
        let Receipt { answer, position, replayed, events } = self.receipt;
        let mut response = if self.dry_run {
            let mut body = json!(answer);
            if body.is_null() {
                body = json!({});
            }
            body["events"] = events.iter().map(planned_event).collect();
            Json(body).into_response()
        } else if size_of::<A>() == 0 {
            // A command without an answer.
            StatusCode::NO_CONTENT.into_response()
        } else {
            (self.status, Json(answer)).into_response()
        };
        let headers = response.headers_mut();
        headers.insert(HeaderName::from_static("journal-position"), position.into());
        if replayed {
            headers.insert(HeaderName::from_static("idempotent-replayed"), HeaderValue::from_static("true"));
        }
        if let (Some(location), false) = (self.location, self.dry_run)
            && let Ok(location) = HeaderValue::from_str(&location)
        {
            headers.insert(LOCATION, location);
        }
        response
    }
}

/// An event of a dry run.
pub fn planned_event(event: &NewEvent) -> Value {
    json!({
        "aggregate_type": event.stream.kind,
        "aggregate_id": event.stream.id,
        "sequence": event.sequence,
        "event_type": event.event_type,
        "payload": serde_json::from_str::<Value>(&event.payload).unwrap_or_default(),
    })
}
