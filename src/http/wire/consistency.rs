//! Reads see what their caller wrote: they wait until the read tables have reached the caller's last command.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use lru::LruCache;
use sqlx::{Executor, PgPool, Postgres, Transaction};

use crate::http::Shop;
use crate::http::wire::access::Caller;
use crate::http::wire::error::ApiError;

/// How long a read waits for a position.
const WAIT: Duration = Duration::from_secs(2);

/// Where the log ended with each caller's last command; of many callers, the latest.
pub struct RecentWrites(Mutex<LruCache<String, i64>>);

impl Default for RecentWrites {
    fn default() -> Self {
        const CALLERS: NonZeroUsize = NonZeroUsize::new(100_000).expect("it is not zero");
        Self(Mutex::new(LruCache::new(CALLERS)))
    }
}

impl RecentWrites {
    pub fn note(&self, principal: &str, position: i64) {
        let mut positions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match positions.get_mut(principal) {
            Some(last) => *last = position.max(*last),
            None => {
                positions.put(principal.to_owned(), position);
            }
        }
    }

    fn of(&self, principal: &str) -> i64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(principal).copied().unwrap_or(0)
    }
}

/// Lets a read wait for its caller's own writes and for `Min-Position`, and tells in `Projection-Position` how far the
/// read tables were, at least, when it was answered.
pub async fn settle(State(shop): State<Shop>, request: Request, next: Next) -> Response {
    if request.method() != Method::GET {
        return next.run(request).await;
    }
    let demanded = match demanded(request.headers()) {
        Ok(position) => position,
        Err(error) => return error.into_response(),
    };
    let principal = request.extensions().get::<Caller>().map(|caller| caller.principal().to_owned());
    match wait(&shop, principal.as_deref().unwrap_or_default(), demanded).await {
        Ok(()) => {
            let position = shop.projector.position();
            let mut response = next.run(request).await;
            response.headers_mut().insert(HeaderName::from_static("projection-position"), position.into());
            response
        }
        Err(error) => error.into_response(),
    }
}

/// Several questions about one moment. The `tables` that they ask are held before the moment is chosen, because one that
/// a rebuild put in the place of another after that moment would be empty.
pub async fn one_moment(pool: &PgPool, tables: &str) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let mut transaction = pool.begin_with("begin isolation level repeatable read read only").await?;
    transaction.execute(format!("lock table {tables} in access share mode").as_str()).await?;
    Ok(transaction)
}

/// The position that the request demands, or 0.
fn demanded(headers: &HeaderMap) -> Result<i64, ApiError> {
    let Some(value) = headers.get("min-position") else { return Ok(0) };
    let position = value.to_str().ok().and_then(|value| value.parse().ok());
    position.ok_or_else(|| ApiError::invalid_field("Min-Position", "must be a position of the log, a whole number"))
}

/// Waits for the last command of `principal`, and for the position `demanded`.
pub async fn wait(shop: &Shop, principal: &str, demanded: i64) -> Result<(), ApiError> {
    let wanted = shop.recent_writes.of(principal).max(demanded);
    if shop.projector.wait_for(wanted, WAIT).await {
        return Ok(());
    }
    let detail =
        format!("the read tables have not reached position {wanted} yet; they are at {}", shop.projector.position());
    Err(ApiError::unavailable("position_not_reached", detail))
}
