//! Answers that are kept as finished bytes until a table that they were read from changes.
//!
//! A request comes here after the access check, and after it has waited for its caller's own writes. A kept answer is
//! served only if the node knows, from at most 100 milliseconds ago, that no table of the answer has changed since it was
//! computed. So it has the caller's own commands on this node and `Min-Position`, and lacks at most what another node has
//! projected in these milliseconds. What names people is never kept: `rules.rs` lists what is.
//!
//! `docs/decisions/response-cache.md` explains the choices.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::{MatchedPath, OriginalUri, Request};
use axum::http::header::{CACHE_CONTROL, ETAG};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::NaiveDate;
use moka::future::Cache;

use crate::domain::account::Role;
use crate::http::App;
use crate::http::wire::caller::Caller;
use crate::http::wire::consistency::PROJECTION_POSITION;
use crate::http::wire::error::ApiError;
use crate::http::wire::list_format::ListFormat;
use crate::http::wire::snapshot::Snapshot;
use crate::http::wire::unchanged::digest_tag;
use crate::metrics;

mod rules;

use rules::{Rule, rule_of};

/// An answer above this size is not kept, so that a few cannot displace all others.
const LARGEST_BYTES: usize = 1024 * 1024;
/// What an entry takes beside its key and its body.
const ENTRY_BYTES: usize = 1024;
/// Queries above this length are of crawlers and attackers; their answers are not kept.
const LONGEST_QUERY: usize = 512;

/// Bounds of the kept answers of one node.
#[derive(Clone, Copy, Debug)]
pub struct ResponseCacheLimits {
    /// Memory; 0 keeps nothing.
    pub bytes: u64,
    pub time_to_live: Duration,
}

impl Default for ResponseCacheLimits {
    fn default() -> Self {
        Self { bytes: 64 * 1024 * 1024, time_to_live: Duration::from_secs(300) }
    }
}

/// The kept answers of one node.
pub struct ResponseCache {
    /// `None` if nothing is kept.
    entries: Option<Cache<Key, Arc<Entry>>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// What an answer depends on beside the tables.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    /// Path and sorted query.
    read: String,
    caller: CallerClass,
    /// Generation of the log.
    generation: i64,
    /// Today, for answers that end today.
    day: Option<NaiveDate>,
}

/// Callers who get the same answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum CallerClass {
    Guest,
    Customer,
    Staff,
}

/// An answer, or the fact that there is none to keep, with the state of the tables before it was read.
struct Entry {
    era: u64,
    /// Position of the last change of the tables that the answer is read from.
    changed: i64,
    kept: Option<Kept>,
}

struct Kept {
    headers: HeaderMap,
    body: Bytes,
}

impl ResponseCache {
    pub fn new(limits: ResponseCacheLimits) -> Self {
        let entries = (limits.bytes > 0).then(|| {
            Cache::builder()
                .max_capacity(limits.bytes)
                .weigher(|key: &Key, entry: &Arc<Entry>| {
                    let body = entry.kept.as_ref().map_or(0, |kept| kept.body.len());
                    u32::try_from(ENTRY_BYTES + key.read.len() + body).unwrap_or(u32::MAX)
                })
                .time_to_live(limits.time_to_live)
                .build()
        });
        Self { entries, hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    /// Sets the metrics of the kept answers.
    pub fn report(&self) {
        for (outcome, count) in [("hit", &self.hits), ("miss", &self.misses)] {
            metrics::RESPONSE_CACHE_READS.set(count.load(Ordering::Relaxed), &[("outcome", outcome)]);
        }
        if let Some(entries) = &self.entries {
            metrics::RESPONSE_CACHE_ENTRIES.set(entries.entry_count() as f64, &[]);
            metrics::RESPONSE_CACHE_BYTES.set(entries.weighted_size() as f64, &[]);
        }
    }

    fn count(&self, is_hit: bool) {
        let counter = if is_hit { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl Entry {
    /// The kept answer, if no table has changed since.
    fn current(&self, era: u64, changed: i64) -> Option<&Kept> {
        self.kept.as_ref().filter(|_| self.era == era && self.changed >= changed)
    }
}

impl CallerClass {
    fn of(request: &Request) -> Self {
        match request.extensions().get::<Caller>().and_then(Caller::role) {
            None => Self::Guest,
            Some(Role::Customer) => Self::Customer,
            Some(_) => Self::Staff,
        }
    }

    /// Other caches must ask again each time; shared ones keep nothing that was read with a token.
    fn cache_control(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Guest => "no-cache",
            Self::Customer | Self::Staff => "private, no-cache",
        })
    }
}

/// Answers a read that has waited for `position`: with a kept answer if it is current, otherwise with a new one, which is
/// kept if a rule says so.
pub async fn answer(app: &App, position: i64, request: Request, next: Next) -> Response {
    // A whole list is streamed, and the pages of a snapshot are of its own time.
    let is_whole =
        |request: &Request| Snapshot::is_read() || ListFormat::preferred(request.headers()) == ListFormat::JsonLines;
    let rule = request.extensions().get::<MatchedPath>().and_then(|path| rule_of(path.as_str()));
    let Some(rule) = rule.filter(|_| request.method() == Method::GET && !is_whole(&request)) else {
        return next.run(request).await;
    };
    let caller = CallerClass::of(&request);
    let key = key_of(app, rule, caller, &request);
    let state = match (&app.response_cache.entries, key) {
        (Some(entries), Some(key)) => app.projector.table_state(position).await.map(|state| (entries, key, state)),
        _ => None,
    };
    let Some((entries, key, state)) = state else {
        let mut response = next.run(request).await;
        set_cache_control(&mut response, caller);
        return response;
    };
    let (era, changed) = (state.era, state.last_change(&rule.projections));
    let found = entries.get(&key).await;
    if let Some(kept) = found.as_ref().and_then(|entry| entry.current(era, changed)) {
        app.response_cache.count(true);
        return kept.response(state.position);
    }
    // The first request for a key computes the answer; the others wait for it, and read alone if it cannot be kept.
    let mut unanswered = Some((request, next));
    let mut own = None;
    let compute = async {
        let mut kept = None;
        if let Some((request, next)) = unanswered.take() {
            let mut response = next.run(request).await;
            set_cache_control(&mut response, caller);
            match Kept::of(response).await {
                Ok(finished) => kept = Some(finished),
                Err(response) => own = Some(response),
            }
        }
        Arc::new(Entry { era, changed, kept })
    };
    let entry = entries.entry(key).or_insert_with_if(compute, |entry| entry.current(era, changed).is_none()).await;
    let kept = entry.value().current(era, changed);
    app.response_cache.count(kept.is_some() && unanswered.is_some());
    match (own, kept, unanswered) {
        (Some(response), ..) => response,
        (None, Some(kept), _) => kept.response(state.position),
        (None, None, Some((request, next))) => next.run(request).await,
        (None, None, None) => ApiError::internal("an answer was computed and lost").into_response(),
    }
}

/// The key of a read; `None` for a read whose answer is not worth its place.
fn key_of(app: &App, rule: &Rule, caller: CallerClass, request: &Request) -> Option<Key> {
    let uri = request.extensions().get::<OriginalUri>().map_or_else(|| request.uri(), |OriginalUri(uri)| uri);
    let query = uri.query().unwrap_or_default();
    let mut pairs: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    // A whole list is streamed.
    if query.len() > LONGEST_QUERY || pairs.iter().any(|pair| pair.starts_with("all=")) {
        return None;
    }
    pairs.sort_unstable();
    let mut read = String::with_capacity(uri.path().len() + 1 + query.len());
    read.push_str(uri.path());
    for pair in pairs {
        read.push('&');
        read.push_str(pair);
    }
    let day = rule.by_day.then(|| app.journal.clock().now().date_naive());
    Some(Key { read, caller, generation: app.journal.identity().generation, day })
}

fn set_cache_control(response: &mut Response, caller: CallerClass) {
    if response.status() == StatusCode::OK && response.body().size_hint().exact().is_some() {
        response.headers_mut().insert(CACHE_CONTROL, caller.cache_control());
    }
}

impl Kept {
    /// The finished answer, or the response itself if it cannot be kept.
    async fn of(response: Response) -> Result<Self, Response> {
        let size = response.body().size_hint().exact();
        let is_kept = response.status() == StatusCode::OK && size.is_some_and(|size| size <= LARGEST_BYTES as u64);
        if !is_kept {
            return Err(response);
        }
        let (parts, body) = response.into_parts();
        let Ok(body) = to_bytes(body, LARGEST_BYTES).await else {
            return Err(ApiError::internal("an answer cannot be read").into_response());
        };
        let mut headers = parts.headers;
        headers.entry(ETAG).or_insert_with(|| digest_tag(&body));
        Ok(Self { headers, body })
    }

    /// The answer, at a position of the tables since which none of its tables has changed.
    fn response(&self, position: i64) -> Response {
        let mut response = Response::new(Body::from(self.body.clone()));
        *response.headers_mut() = self.headers.clone();
        response.headers_mut().insert(PROJECTION_POSITION, position.into());
        response
    }
}
