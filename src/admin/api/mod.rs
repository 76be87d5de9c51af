//! The client of the API: requests to the router of `/shop/api/`, inside the process.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, IF_MATCH, LINK, RETRY_AFTER, USER_AGENT};
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower::ServiceExt;

mod problem;

#[cfg(test)]
pub use problem::FieldProblem;
pub use problem::Problem;

/// The API as a service.
#[derive(Clone)]
pub struct ApiService {
    pub router: Router,
    /// Extensions of a call, from those of the page's request, and whether the call is the first of the page.
    pub carry: fn(&Extensions, bool) -> Extensions,
}

/// The API as one page's request may use it. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    service: ApiService,
    page: Arc<PageRequest>,
    bearer: Option<HeaderValue>,
}

/// What the calls of a page have in common.
struct PageRequest {
    extensions: Extensions,
    user_agent: Option<HeaderValue>,
    called: AtomicBool,
}

/// A request that is being written; sent by [`read`](Self::read) and its siblings.
#[must_use]
pub struct Call {
    api: Api,
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    body: Result<Bytes, Problem>,
}

/// The answer to a call.
#[derive(Debug)]
pub struct Reply<T> {
    pub data: T,
    /// The tag for `If-Match`, with its quotes.
    pub etag: String,
    /// Cursor of the next page of a list.
    pub next: Option<String>,
}

/// The longest answer that a page reads.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

impl Api {
    pub fn new(service: &ApiService, extensions: &Extensions, headers: &HeaderMap) -> Self {
        let user_agent = headers.get(USER_AGENT).cloned();
        let page = PageRequest { extensions: extensions.clone(), user_agent, called: AtomicBool::new(false) };
        Self { service: service.clone(), page: Arc::new(page), bearer: None }
    }

    /// The same, with the access token of a session.
    pub fn with_token(&self, token: &str) -> Self {
        Self { bearer: HeaderValue::from_str(&format!("Bearer {token}")).ok(), ..self.clone() }
    }

    /// Begins a read of `/shop/api/<path>/`.
    pub fn get(&self, path: impl Display) -> Call {
        self.call(Method::GET, path)
    }

    pub fn post(&self, path: impl Display) -> Call {
        self.call(Method::POST, path)
    }

    pub fn put(&self, path: impl Display) -> Call {
        self.call(Method::PUT, path)
    }

    pub fn patch(&self, path: impl Display) -> Call {
        self.call(Method::PATCH, path)
    }

    pub fn delete(&self, path: impl Display) -> Call {
        self.call(Method::DELETE, path)
    }

    fn call(&self, method: Method, path: impl Display) -> Call {
        let path = format!("/shop/api/{}/", path.to_string().trim_matches('/'));
        Call { api: self.clone(), method, path, query: Vec::new(), headers: HeaderMap::new(), body: Ok(Bytes::new()) }
    }
}

impl Call {
    pub fn query(mut self, name: &str, value: impl Display) -> Self {
        self.query.push((name.to_owned(), value.to_string()));
        self
    }

    pub fn queries<'a>(self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        pairs.into_iter().fold(self, |call, (name, value)| call.query(name, value))
    }

    pub fn json(self, body: &impl Serialize) -> Self {
        let bytes = serde_json::to_vec(body).map(Bytes::from);
        self.body_of("application/json", bytes.map_err(Problem::internal))
    }

    /// Rows for the commands with many rows.
    pub fn lines<T: Serialize>(self, rows: &[T]) -> Self {
        let lines = rows.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>();
        self.body_of("application/x-ndjson", lines.map(|lines| lines.join("\n").into()).map_err(Problem::internal))
    }

    /// A picture, in the form that the API reads.
    pub fn picture(self, picture: &[u8]) -> Self {
        // Longer than any text that a picture may contain by chance.
        let boundary = format!("picture-{}", uuid::Uuid::new_v4().simple());
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"image\"; filename=\"image\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        let body = [head.as_bytes(), picture, format!("\r\n--{boundary}--\r\n").as_bytes()].concat();
        self.body_of(&format!("multipart/form-data; boundary={boundary}"), Ok(body.into()))
    }

    fn body_of(mut self, kind: &str, body: Result<Bytes, Problem>) -> Self {
        self.body = body;
        self.header(CONTENT_TYPE, kind)
    }

    /// The tag of what the reader saw; the API refuses the command with 412 if it has changed. An empty tag sends none.
    pub fn if_match(self, etag: &str) -> Self {
        if etag.is_empty() { self } else { self.header(IF_MATCH, etag) }
    }

    /// An idempotency key: a repeated command has its effect once. An empty key sends none.
    pub fn key(self, key: &str) -> Self {
        if key.is_empty() { self } else { self.header(HeaderName::from_static("idempotency-key"), key) }
    }

    /// Checks the command and stores nothing.
    pub fn dry_run(self) -> Self {
        self.query("dry_run", true)
    }

    fn header(mut self, name: HeaderName, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(value) => drop(self.headers.insert(name, value)),
            Err(_) => self.body = Err(Problem::invalid(name.as_str(), "is not a valid header")),
        }
        self
    }

    /// Sends the request, and reads the JSON of the answer.
    pub async fn read<T: DeserializeOwned>(self) -> Result<Reply<T>, Problem> {
        let path = self.path.clone();
        let (head, body) = self.header(ACCEPT, "application/json").send().await?;
        let data = serde_json::from_slice(if body.is_empty() { b"null" } else { &body[..] });
        let data = data.map_err(|error| Problem::internal(format!("{path}: {error}")))?;
        let text = |name: HeaderName| head.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        Ok(Reply { data, etag: text(ETAG).to_owned(), next: next_cursor(text(LINK)) })
    }

    /// Sends a command whose answer does not matter.
    pub async fn send_command(self) -> Result<(), Problem> {
        self.send().await.map(drop)
    }

    /// Sends a command on many rows, and reads the result of each.
    pub async fn read_lines<T: DeserializeOwned>(self) -> Result<Vec<T>, Problem> {
        let (_, body) = self.header(ACCEPT, "application/x-ndjson").send().await?;
        let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).map_err(Problem::internal)).collect()
    }

    /// Sends a read, and passes the answer on as CSV, row by row.
    pub async fn stream_csv(self, file_name: &str) -> Result<Response<Body>, Problem> {
        let response = self.header(ACCEPT, "text/csv").respond().await?;
        let (parts, body) = response.into_parts();
        let mut csv = Response::new(body);
        let kind = parts.headers.get(CONTENT_TYPE).cloned();
        csv.headers_mut().insert(CONTENT_TYPE, kind.unwrap_or(HeaderValue::from_static("text/csv")));
        if let Ok(disposition) = HeaderValue::from_str(&format!("attachment; filename=\"{file_name}\"")) {
            csv.headers_mut().insert(axum::http::header::CONTENT_DISPOSITION, disposition);
        }
        Ok(csv)
    }

    async fn send(self) -> Result<(HeaderMap, Bytes), Problem> {
        let (head, body) = self.respond().await?.into_parts();
        let body = to_bytes(body, MAX_ANSWER_BYTES).await.map_err(Problem::internal)?;
        Ok((head.headers, body))
    }

    /// The response, if it is a success.
    async fn respond(self) -> Result<Response<Body>, Problem> {
        let Self { api, method, path, query, headers, body } = self;
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&query).finish();
        let uri = if query.is_empty() { path } else { format!("{path}?{query}") };
        let mut request =
            Request::builder().method(method).uri(uri).body(Body::from(body?)).map_err(Problem::internal)?;
        *request.headers_mut() = headers;
        let common = [(AUTHORIZATION, api.bearer), (USER_AGENT, api.page.user_agent.clone())];
        for (name, value) in common {
            request.headers_mut().extend(value.map(|value| (name, value)));
        }
        let is_first = !api.page.called.swap(true, Ordering::Relaxed);
        *request.extensions_mut() = (api.service.carry)(&api.page.extensions, is_first);
        let response = match api.service.router.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        if response.status().is_success() {
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        let body = to_bytes(body, MAX_ANSWER_BYTES).await.unwrap_or_default();
        let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        Err(Problem::read(head.status, &body, retry_after))
    }
}

/// The cursor of the next page in a `Link` header.
fn next_cursor(link: &str) -> Option<String> {
    let (address, parameters) = link.strip_prefix('<')?.split_once('>')?;
    let query = address.split_once('?').filter(|_| parameters.contains("rel=\"next\""))?.1;
    form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "cursor").map(|(_, cursor)| cursor.into_owned())
}

/// A status for a page that the API answered with `problem`.
pub fn status_of(problem: &Problem) -> StatusCode {
    StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_cursor_is_read_from_the_link() {
        let link = "</shop/api/products/?sort=name&cursor=WzEsMl0%3D>; rel=\"next\"";
        assert_eq!(next_cursor(link).as_deref(), Some("WzEsMl0="));
        for link in ["", "</x>; rel=\"next\"", "</x?cursor=1>; rel=\"prev\"", "nonsense"] {
            assert_eq!(next_cursor(link), None, "{link}");
        }
    }
}
