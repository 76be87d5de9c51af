//! How often a client may ask: each address and each caller by the second, and attempts at credentials by the minute.
//!
//! The generic cell rate algorithm spreads what is allowed evenly over the time, after a burst of one second's (or one
//! minute's) worth. Its memory is bounded by construction: a key is hashed, with a seed that nobody knows, into one of
//! a fixed number of slots. Keys that share a slot share what is allowed, which is rare, and strict rather than lax.

use std::hash::{BuildHasher, Hash, RandomState};
use std::num::NonZeroU32;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::{NoOpMiddleware, StateInformationMiddleware};
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed, StateStore};
use governor::{Quota, RateLimiter};

use crate::http::edge::client_address::ClientAddress;
use crate::http::wire::error::ApiError;

/// The limits of one server. Cheap to clone; the default has none.
#[derive(Clone, Default)]
pub struct Limits {
    general: Option<Arc<Limit>>,
    strict: Option<Arc<Limit>>,
    named: Option<Arc<Limit>>,
}

impl Limits {
    /// Requests a second for each address and each caller, and attempts a minute for each address; 0 is no limit.
    pub fn new(requests_per_second: u32, attempts_per_minute: u32) -> Self {
        let limit = |quota| Arc::new(Limit::new(quota));
        Self {
            general: NonZeroU32::new(requests_per_second).map(Quota::per_second).map(limit),
            strict: NonZeroU32::new(attempts_per_minute).map(Quota::per_minute).map(limit),
            named: NonZeroU32::new(attempts_per_minute.saturating_mul(OTHERS)).map(Quota::per_minute).map(limit),
        }
    }

    /// Counts a request of an authenticated caller.
    pub fn check_caller(&self, caller: &str) -> Result<(), ApiError> {
        check(self.general.as_deref(), &("caller", caller)).map(drop)
    }

    /// Counts an attempt at a credential under what it names, such as the e-mail address of a login, so that many
    /// addresses cannot try one together. A few times what one address may try, so that none can lock the owner out.
    pub fn check_attempt(&self, named: &str) -> Result<(), ApiError> {
        check(self.named.as_deref(), &("attempt", named.to_lowercase())).map(drop)
    }

    /// Counts a mail that somebody asks for, wherever they are: nobody wants more of them.
    pub fn check_mail(&self, to: &str) -> Result<(), ApiError> {
        check(self.strict.as_deref(), &("mail", to.to_lowercase())).map(drop)
    }
}

/// How many addresses together may try one account as often as each of them may try any.
const OTHERS: u32 = 10;

/// Counts a request against its address. Health is asked for by machines that must get an answer.
pub async fn general(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/health/") {
        return next.run(request).await;
    }
    admit(limits.general.as_deref(), request, next).await
}

/// Counts an attempt at a credential against its address: a layer for the routes that take one.
pub async fn strict(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    admit(limits.strict.as_deref(), request, next).await
}

async fn admit(limit: Option<&Limit>, request: Request, next: Next) -> Response {
    let client = request.extensions().get::<ClientAddress>().map(|client| client.counted());
    match check(limit, &("address", client)) {
        Ok(standing) => {
            let mut response = next.run(request).await;
            if let Some(standing) = standing {
                standing.show(response.headers_mut());
            }
            response
        }
        Err(refused) => refused.into_response(),
    }
}

fn check(limit: Option<&Limit>, key: &impl Hash) -> Result<Option<Standing>, ApiError> {
    limit.map(|limit| limit.check(key)).transpose()
}

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// What is left of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Standing {
    limit: u32,
    remaining: u32,
    /// Until all of it is there again.
    reset_seconds: u64,
}

impl Standing {
    fn new(quota: Quota, remaining: u32) -> Self {
        let limit = quota.burst_size().get();
        let reset = quota.replenish_interval() * limit.saturating_sub(remaining);
        Self { limit, remaining, reset_seconds: whole_seconds(reset) }
    }

    fn headers(self) -> [(HeaderName, HeaderValue); 3] {
        [(LIMIT, self.limit.into()), (REMAINING, self.remaining.into()), (RESET, self.reset_seconds.into())]
    }

    /// Of several limits, the one that is nearest to its end is shown.
    fn show(self, headers: &mut HeaderMap) {
        let shown = headers.get(REMAINING).and_then(|remaining| remaining.to_str().ok()?.parse::<u32>().ok());
        if shown.is_none_or(|shown| self.remaining < shown) {
            for (name, value) in self.headers() {
                headers.insert(name, value);
            }
        }
    }
}

fn whole_seconds(duration: std::time::Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

struct Limit {
    quota: Quota,
    limiter: RateLimiter<usize, Slots, MonotonicClock, StateInformationMiddleware>,
    seed: RandomState,
}

impl Limit {
    fn new(quota: Quota) -> Self {
        let limiter = RateLimiter::<_, _, _, NoOpMiddleware<_>>::new(quota, Slots::default(), MonotonicClock);
        Self { quota, limiter: limiter.with_middleware(), seed: RandomState::new() }
    }

    fn check(&self, key: &impl Hash) -> Result<Standing, ApiError> {
        // The remainder is below the number of slots.
        let slot = (self.seed.hash_one(key) % SLOTS as u64) as usize;
        match self.limiter.check_key(&slot) {
            Ok(state) => Ok(Standing::new(self.quota, state.remaining_burst_capacity())),
            Err(refused) => {
                let wait_seconds = whole_seconds(refused.wait_time_from(self.limiter.clock().now())).max(1);
                Err(refusal(Standing::new(self.quota, 0), wait_seconds))
            }
        }
    }
}

fn refusal(standing: Standing, wait_seconds: u64) -> ApiError {
    let detail = format!("these are too many requests; the next is answered in {wait_seconds} s");
    let error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "Too many requests", detail);
    let error = error.with_header(axum::http::header::RETRY_AFTER, wait_seconds);
    standing.headers().into_iter().fold(error, |error, (name, value)| error.with_header(name, value))
}

/// 8 bytes each. With a thousand clients in the same second, one in sixty-five shares its slot with another.
const SLOTS: usize = 1 << 16;

struct Slots(Box<[InMemoryState]>);

impl Default for Slots {
    fn default() -> Self {
        Self(std::iter::repeat_with(InMemoryState::default).take(SLOTS).collect())
    }
}

impl StateStore for Slots {
    type Key = usize;

    fn measure_and_replace<T, F, E>(&self, slot: &usize, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        self.0[*slot].measure_and_replace(&NotKeyed::NonKey, decide)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// How many of `tries` are let through at once.
    fn admitted(tries: u32, check: impl Fn() -> Result<(), ApiError>) -> u32 {
        (0..tries).map(|_| u32::from(check().is_ok())).sum()
    }

    #[test]
    fn a_caller_may_ask_for_one_seconds_worth_at_once_and_then_evenly() {
        let limits = Limits::new(20, 0);
        let first = admitted(100, || limits.check_caller("ada"));
        assert!((20..25).contains(&first), "{first}");
        assert!(limits.check_caller("bob").is_ok(), "others are not held back");
        std::thread::sleep(Duration::from_millis(500));
        let second = admitted(100, || limits.check_caller("ada"));
        assert!((8..18).contains(&second), "{second}");
    }

    #[test]
    fn attempts_are_counted_by_the_minute_and_apart_from_requests() {
        let limits = Limits::new(100, 3);
        assert_eq!(admitted(10, || limits.check_mail("ada@example.com")), 3);
        assert_eq!(admitted(10, || limits.check_mail("ADA@example.com")), 0, "it is the same mailbox");
        assert_eq!(admitted(10, || limits.check_mail("bob@example.com")), 3);
        assert_eq!(admitted(50, || limits.check_attempt("ada@example.com")), 30);
        assert_eq!(admitted(50, || limits.check_attempt("Ada@Example.com")), 0);
        assert_eq!(admitted(10, || limits.check_caller("ada@example.com")), 10);
    }

    #[test]
    fn no_limit_lets_everything_through() {
        for limits in [Limits::new(0, 0), Limits::default()] {
            assert_eq!(admitted(10_000, || limits.check_caller("ada")), 10_000);
            assert_eq!(admitted(10_000, || limits.check_attempt("ada")), 10_000);
        }
    }

    #[test]
    fn a_refusal_says_how_long_to_wait() {
        let limits = Limits::new(0, 10);
        assert_eq!(admitted(20, || limits.check_mail("ada")), 10);
        let response = limits.check_mail("ada").unwrap_err().into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("retry-after"), "6");
        assert_eq!((header("ratelimit-limit"), header("ratelimit-remaining")), ("10".to_owned(), "0".to_owned()));
        assert_eq!(header("ratelimit-reset"), "60");
    }

    #[test]
    fn the_limit_that_is_nearest_to_its_end_is_shown() {
        let mut headers = HeaderMap::new();
        let standing = |limit, remaining| Standing { limit, remaining, reset_seconds: 1 };
        for (limit, remaining) in [(100, 50), (10, 3), (100, 49)] {
            standing(limit, remaining).show(&mut headers);
        }
        assert_eq!((&headers[LIMIT], &headers[REMAINING]), (&HeaderValue::from(10), &HeaderValue::from(3)));
        assert_eq!(headers.len(), 3);
    }

    #[test]
    fn a_check_costs_next_to_nothing() {
        let limits = Limits::new(1_000_000, 0);
        let round = || {
            let started = Instant::now();
            assert_eq!(admitted(10_000, || limits.check_caller("0198f7a0-0000-7000-8000-000000000001")), 10_000);
            started.elapsed() / 10_000
        };
        let best = (0..10).map(|_| round()).min().unwrap();
        eprintln!("a check takes {best:?}");
        assert!(best < Duration::from_micros(5), "{best:?}");
    }
}
