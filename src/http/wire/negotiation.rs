//! The media type of a read: what its route offers, and what its client accepts.
//!
//! Every list is offered as a JSON array, as JSON lines and as CSV, whatever its handler: a page if `limit` or `cursor`
//! is given, otherwise JSON lines and CSV are the whole list from one snapshot. A handler of a ranked list streams its
//! rows itself; the pages of any other list are read one after the other.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{MatchedPath, OriginalUri, Request, State};
use axum::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LINK, VARY};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::{OpenApi, RefOr};

use crate::http::app::App;
use crate::http::wire::accept::Accept;
use crate::http::wire::caller::Caller;
use crate::http::wire::csv_lines::csv_of_lines;
use crate::http::wire::csv_rows::{CSV, CSV_CONTENT_TYPE, Columns, CsvWriter};
use crate::http::wire::error::ApiError;
use crate::http::wire::page::{MAX_LIMIT, Page, read_query};
use crate::http::wire::query;
use crate::http::wire::snapshot::Snapshot;
use crate::http::wire::streamed::{self, Chunks};

pub const JSON: &str = "application/json";
pub const JSON_LINES: &str = "application/x-ndjson";

/// The media types of every list; the first is that of a client without a preference.
pub const LIST_TYPES: [&str; 3] = [JSON, JSON_LINES, CSV];

/// What the reads of the router offer.
#[derive(Clone)]
pub struct Offers {
    app: App,
    routes: Arc<HashMap<String, Offer>>,
}

enum Offer {
    List(Arc<ListOffer>),
    /// The media types of another answer.
    Other(Vec<String>),
}

struct ListOffer {
    columns: Columns,
    /// How the rest of the list is found.
    pages: Pages,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pages {
    /// The handler streams the whole list.
    Streamed,
    ByCursor,
    /// The list has one page.
    One,
}

/// A format other than the JSON array that handlers answer with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RowFormat {
    Lines,
    Csv,
}

impl Offers {
    pub fn of(app: App, document: &OpenApi) -> Self {
        let reads = document.paths.paths.iter().filter(|(path, _)| path.starts_with("/shop/api/"));
        let offers = reads.filter_map(|(path, item)| Some((path.clone(), Offer::of(document, item.get.as_ref()?)?)));
        Self { app, routes: Arc::new(offers.collect()) }
    }
}

impl Offer {
    fn of(document: &OpenApi, operation: &Operation) -> Option<Self> {
        let RefOr::T(success) = operation.responses.responses.get("200")? else { return None };
        let json = success.content.get(JSON).and_then(|content| match content {
            RefOr::T(content) => content.schema.as_ref(),
            RefOr::Ref(_) => None,
        });
        let has = |wanted: &str| {
            operation.parameters.iter().flatten().any(|parameter| {
                matches!(parameter, RefOr::T(parameter)
                    if parameter.parameter_in == ParameterIn::Query && parameter.name == wanted)
            })
        };
        let Some(columns) = json.and_then(|schema| Columns::of_array(document, schema, has("view"))) else {
            let types: Vec<_> = success.content.keys().cloned().collect();
            return (!types.is_empty()).then_some(Self::Other(types));
        };
        let pages = match (has("all"), has("cursor")) {
            (true, _) => Pages::Streamed,
            (false, true) => Pages::ByCursor,
            (false, false) => Pages::One,
        };
        Some(Self::List(Arc::new(ListOffer { columns, pages })))
    }
}

/// A layer: answers a read in the media type that its client prefers; 406 if the client accepts none.
pub async fn negotiate(
    State(offers): State<Offers>,
    path: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let is_read = [Method::GET, Method::HEAD].contains(request.method());
    let offer = path.as_ref().filter(|_| is_read).and_then(|path| offers.routes.get(path.as_str()));
    let accept = Accept::of(request.headers());
    match offer {
        None => next.run(request).await,
        Some(Offer::Other(types)) => {
            let types: Vec<&str> = types.iter().map(String::as_str).collect();
            if accept.choose(&types).is_none() { not_acceptable(&types) } else { next.run(request).await }
        }
        Some(Offer::List(list)) => {
            let mut response = match accept.choose(&LIST_TYPES) {
                None => not_acceptable(&LIST_TYPES),
                Some(0) => next.run(with_accept(request, JSON)).await,
                Some(1) => offers.answer_rows(list, RowFormat::Lines, request, next).await,
                Some(_) => offers.answer_rows(list, RowFormat::Csv, request, next).await,
            };
            vary_by_accept(response.headers_mut());
            response
        }
    }
}

fn not_acceptable(types: &[&str]) -> Response {
    let detail = format!("the answer is available as {}", types.join(", "));
    ApiError::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", "Not acceptable", detail).into_response()
}

fn vary_by_accept(headers: &mut HeaderMap) {
    let varies = |value: &HeaderValue| value.to_str().is_ok_and(|value| value.to_ascii_lowercase().contains("accept"));
    if !headers.get_all(VARY).iter().any(varies) {
        headers.append(VARY, HeaderValue::from_static("Accept"));
    }
}

fn with_accept(mut request: Request, media_type: &'static str) -> Request {
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static(media_type));
    request
}

impl Offers {
    async fn answer_rows(
        &self,
        list: &Arc<ListOffer>,
        format: RowFormat,
        mut request: Request,
        next: Next,
    ) -> Response {
        // Tags are those of the JSON answer.
        request.headers_mut().remove(IF_NONE_MATCH);
        let asks_for_page = query::names(request.uri(), &["limit", "cursor"]) || query::has(request.uri(), "all=false");
        let is_page = asks_for_page || list.pages == Pages::One || request.method() == Method::HEAD;
        if is_page {
            let response = next.run(with_accept(request, JSON)).await;
            return list.convert_page(format, response).await.unwrap_or_else(IntoResponse::into_response);
        }
        let answered = match list.pages {
            Pages::Streamed => self.convert_stream(list, format, request, next).await,
            Pages::ByCursor | Pages::One => self.walk(list, format, request, next).await,
        };
        answered.unwrap_or_else(IntoResponse::into_response)
    }

    /// The rows that the handler streams.
    async fn convert_stream(
        &self,
        list: &Arc<ListOffer>,
        format: RowFormat,
        request: Request,
        next: Next,
    ) -> Result<Response, ApiError> {
        if format == RowFormat::Lines {
            return Ok(next.run(with_accept(request, JSON_LINES)).await);
        }
        let slot = self.app.whole_lists.admit_csv(&caller(&request)?)?;
        let response = next.run(with_accept(request, JSON_LINES)).await;
        if response.status() != StatusCode::OK {
            return Ok(response);
        }
        let (mut parts, body) = response.into_parts();
        parts.headers.insert(CONTENT_TYPE, CSV_CONTENT_TYPE);
        Ok(Response::from_parts(parts, csv_of_lines(body, CsvWriter::new(&list.columns), slot)))
    }

    /// Reads page after page in one snapshot.
    async fn walk(
        &self,
        list: &Arc<ListOffer>,
        format: RowFormat,
        request: Request,
        next: Next,
    ) -> Result<Response, ApiError> {
        let slot = self.app.whole_lists.admit(&caller(&request)?, format == RowFormat::Csv)?;
        let (parts, _) = with_accept(request, JSON).into_parts();
        let page = move |more: &str| page_request(&parts, more);
        // Checks the parameters, and waits for the caller's own writes: the snapshot is taken after them.
        let first = next.clone().run(page("limit=1")?).await;
        if first.status() != StatusCode::OK {
            return Ok(first);
        }
        let snapshot = Snapshot::open(&self.app).await?;
        let mut writer = RowWriter::new(format, list);
        let send = async move |mut chunks: Chunks| {
            let mut more = Some(format!("limit={MAX_LIMIT}"));
            while let Some(query) = more.take() {
                let response = snapshot.read(next.clone().run(page(&query)?)).await;
                more = next_cursor(&response).map(|cursor| format!("limit={MAX_LIMIT}&cursor={cursor}"));
                let rows = rows_of(response).await?;
                writer.write(&rows, chunks.buffer())?;
                chunks.send_full().await;
            }
            writer.finish(chunks.buffer())?;
            Ok(chunks)
        };
        let mut response = streamed::answer(format.content_type(), self.app.whole_lists.time(), slot, send).await?;
        let (first, _) = first.into_parts();
        for (name, value) in &first.headers {
            if ![CONTENT_TYPE, CONTENT_LENGTH, LINK, ETAG].contains(name) {
                response.headers_mut().insert(name, value.clone());
            }
        }
        Ok(response)
    }
}

fn caller(request: &Request) -> Result<Caller, ApiError> {
    let caller = request.extensions().get::<Caller>().cloned();
    caller.ok_or_else(|| ApiError::internal("a list is outside the access check"))
}

/// The same request with further parameters.
fn page_request(parts: &Parts, more: &str) -> Result<Request, ApiError> {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = parts.method.clone();
    *request.headers_mut() = parts.headers.clone();
    *request.extensions_mut() = parts.extensions.clone();
    *request.uri_mut() = with_query(&parts.uri, more)?;
    if let Some(OriginalUri(uri)) = parts.extensions.get() {
        let original = OriginalUri(with_query(uri, more)?);
        request.extensions_mut().insert(original);
    }
    Ok(request)
}

fn with_query(uri: &Uri, more: &str) -> Result<Uri, ApiError> {
    let separator = if uri.query().is_some() { "&" } else { "?" };
    format!("{uri}{separator}{more}").parse().map_err(ApiError::internal)
}

/// The cursor of the next page.
fn next_cursor(response: &Response) -> Option<String> {
    let link = response.headers().get(LINK)?.to_str().ok()?;
    let uri: Uri = link.strip_prefix('<')?.split('>').next()?.parse().ok()?;
    read_query::<Page>(&uri).ok()?.cursor
}

/// The rows of a JSON array.
async fn rows_of(response: Response) -> Result<Vec<Value>, ApiError> {
    let status = response.status();
    if status != StatusCode::OK {
        return Err(ApiError::internal(format!("a page of a list was answered with {status}")));
    }
    let bytes = to_bytes(response.into_body(), usize::MAX).await.map_err(ApiError::internal)?;
    serde_json::from_slice(&bytes).map_err(ApiError::internal)
}

impl ListOffer {
    /// A page in another format.
    async fn convert_page(&self, format: RowFormat, response: Response) -> Result<Response, ApiError> {
        if response.status() != StatusCode::OK {
            return Ok(response);
        }
        let mut headers = response.headers().clone();
        headers.insert(CONTENT_TYPE, format.content_type());
        headers.remove(CONTENT_LENGTH);
        headers.remove(ETAG);
        let extensions = response.extensions().clone();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.map_err(ApiError::internal)?;
        let mut body = Vec::new();
        // The answer to HEAD has no body.
        if !bytes.is_empty() {
            let rows: Vec<Value> = serde_json::from_slice(&bytes).map_err(ApiError::internal)?;
            let mut writer = RowWriter::new(format, self);
            writer.write(&rows, &mut body)?;
            writer.finish(&mut body)?;
        }
        let mut converted = Response::new(Body::from(body));
        *converted.headers_mut() = headers;
        *converted.extensions_mut() = extensions;
        Ok(converted)
    }
}

/// Writes rows in a format.
enum RowWriter {
    Lines,
    Csv(CsvWriter),
}

impl RowWriter {
    fn new(format: RowFormat, list: &ListOffer) -> Self {
        match format {
            RowFormat::Lines => Self::Lines,
            RowFormat::Csv => Self::Csv(CsvWriter::new(&list.columns)),
        }
    }

    fn write(&mut self, rows: &[Value], out: &mut Vec<u8>) -> Result<(), ApiError> {
        match self {
            Self::Lines => {
                for row in rows {
                    serde_json::to_writer(&mut *out, row).map_err(ApiError::internal)?;
                    out.push(b'\n');
                }
            }
            Self::Csv(writer) => out.extend(writer.write(rows).map_err(ApiError::internal)?),
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), ApiError> {
        match self {
            Self::Lines => {}
            Self::Csv(writer) => out.extend(writer.finish().map_err(ApiError::internal)?),
        }
        Ok(())
    }
}

impl RowFormat {
    fn content_type(self) -> HeaderValue {
        match self {
            Self::Lines => HeaderValue::from_static(JSON_LINES),
            Self::Csv => CSV_CONTENT_TYPE,
        }
    }
}
