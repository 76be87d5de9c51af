//! Rate limits: requests per second of each address and caller, and credential attempts per minute.
//!
//! The generic cell rate algorithm allows a burst of one second's (or one minute's) worth, then spreads requests evenly.
//! Memory is bounded: a key is hashed, with a secret seed, into one of a fixed number of slots. Keys that share a slot
//! share its limit, which is rare, and errs on the strict side.

use std::hash::{BuildHasher, Hash, RandomState};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::{NoOpMiddleware, StateInformationMiddleware};
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed, StateStore};
use governor::{Quota, RateLimiter};

use crate::domain::text::Email;
use crate::http::edge::client_address::ClientAddress;
use crate::http::wire::error::ApiError;

/// The rate limits of one server. Cheap to clone; the default has none.
#[derive(Clone, Default)]
pub struct RateLimits {
    /// Requests of an address or a caller.
    requests: Option<Arc<RateLimit>>,
    /// Credential attempts and attempts at discount codes from an address, and mails that clients cause to an address.
    attempts: Option<Arc<RateLimit>>,
    /// Credential attempts on an account, from all addresses together.
    account_attempts: Option<Arc<RateLimit>>,
}

impl RateLimits {
    /// Requests per second for each address and each caller, and attempts per minute for each address; 0: no limit.
    pub fn new(requests_per_second: u32, attempts_per_minute: u32) -> Self {
        let limit = |quota| Arc::new(RateLimit::new(quota));
        Self {
            requests: NonZeroU32::new(requests_per_second).map(Quota::per_second).map(limit),
            attempts: NonZeroU32::new(attempts_per_minute).map(Quota::per_minute).map(limit),
            account_attempts: NonZeroU32::new(attempts_per_minute.saturating_mul(ADDRESSES_PER_ACCOUNT))
                .map(Quota::per_minute)
                .map(limit),
        }
    }

    /// Counts a request of an authenticated caller.
    pub fn per_caller(&self, caller: &str) -> Result<(), ApiError> {
        check(self.requests.as_deref(), &("caller", caller)).map(drop)
    }

    /// Counts a credential attempt on an account, which the e-mail address of a login may name.
    ///
    /// Many addresses together cannot guess the password of an account. The limit is a multiple of what an address may
    /// try, so that an attacker at a single address cannot lock the owner out.
    pub fn per_account(&self, account: &str) -> Result<(), ApiError> {
        check(self.account_attempts.as_deref(), &("attempt", folded_email(account))).map(drop)
    }

    /// Counts a credential attempt against its client address, for a route whose other methods accept no credentials.
    pub fn per_credential_address(&self, client: ClientAddress) -> Result<(), ApiError> {
        check(self.attempts.as_deref(), &("address", Some(client.rate_limit_unit()))).map(drop)
    }

    /// Counts an attempt at a discount code against the client address and the account that made it.
    pub fn per_code_source(&self, client: Option<ClientAddress>, account: Option<&str>) -> Result<(), ApiError> {
        check(self.attempts.as_deref(), &("code", client.map(ClientAddress::rate_limit_unit)))?;
        // Many addresses together cannot guess codes with one account.
        account.map(|account| check(self.account_attempts.as_deref(), &("code", account))).transpose().map(drop)
    }

    /// Counts a mail that a client causes against its recipient, from whichever address it was requested.
    pub fn per_recipient(&self, recipient: &str) -> Result<(), ApiError> {
        self.reserve_mail(recipient).map(drop)
    }

    /// Counts a mail like [`per_recipient`](Self::per_recipient), for a command that may yet be refused.
    pub fn reserve_mail(&self, recipient: &str) -> Result<ReservedMail, ApiError> {
        let Some(limit) = &self.attempts else { return Ok(ReservedMail(None)) };
        let slot = limit.slot(&("mail", mailbox(recipient)));
        let state = limit.check_slot(slot)?;
        let counted_until = Instant::now() + limit.quota.replenish_interval() * (state.limit - state.remaining);
        Ok(ReservedMail(Some(CountedMail { limit: Arc::clone(limit), slot, counted_until })))
    }
}

/// In the extensions of a request: its caller is already counted, by an earlier request of the same page.
#[derive(Clone, Copy, Debug)]
pub struct CallerCounted;

/// A counted mail. It stays counted when dropped.
#[must_use]
pub struct ReservedMail(Option<CountedMail>);

struct CountedMail {
    limit: Arc<RateLimit>,
    slot: usize,
    /// When the limit no longer counts the mail.
    counted_until: Instant,
}

impl ReservedMail {
    /// Uncounts the mail, because its command was refused.
    pub fn release(self) {
        // Once the count of this mail has expired, releasing it would admit one mail above the limit.
        if let Some(CountedMail { limit, slot, .. }) = self.0.filter(|mail| Instant::now() < mail.counted_until) {
            limit.uncount(slot);
        }
    }
}

/// The mailbox of an address: in the form for comparison, without the tag behind a plus sign, which most providers ignore.
fn mailbox(address: &str) -> String {
    let address = folded_email(address);
    match address.rsplit_once('@') {
        Some((local, domain)) => format!("{}@{domain}", local.split('+').next().unwrap_or_default()),
        None => address,
    }
}

/// An account may be tried as often as this many addresses may each try.
const ADDRESSES_PER_ACCOUNT: u32 = 10;

/// A layer: counts a request against its client address. Health checks are not counted.
pub async fn per_client(State(limits): State<RateLimits>, request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/health/") {
        return next.run(request).await;
    }
    count(limits.requests.as_deref(), request, next).await
}

/// A layer for the routes that accept credentials: counts an attempt against its client address.
pub async fn per_credential_source(State(limits): State<RateLimits>, request: Request, next: Next) -> Response {
    count(limits.attempts.as_deref(), request, next).await
}

async fn count(limit: Option<&RateLimit>, request: Request, next: Next) -> Response {
    let client = request.extensions().get::<ClientAddress>().map(|client| client.rate_limit_unit());
    match check(limit, &("address", client)) {
        Ok(state) => {
            let mut response = next.run(request).await;
            if let Some(state) = state {
                state.show(response.headers_mut());
            }
            response
        }
        Err(refused) => refused.into_response(),
    }
}

fn check(limit: Option<&RateLimit>, key: &impl Hash) -> Result<Option<RateLimitState>, ApiError> {
    limit.map(|limit| limit.check(key)).transpose()
}

/// One form for every spelling of an address: a domain has many in Unicode.
fn folded_email(text: &str) -> String {
    Email::parse_known(text).map_or_else(|_| text.to_lowercase(), |email| email.folded())
}

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// What is left of a limit, for the `RateLimit-*` headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RateLimitState {
    limit: u32,
    remaining: u32,
    /// Until the whole limit is available again.
    reset_seconds: u64,
}

impl RateLimitState {
    fn new(quota: Quota, remaining: u32) -> Self {
        let limit = quota.burst_size().get();
        let reset = quota.replenish_interval() * limit.saturating_sub(remaining);
        Self { limit, remaining, reset_seconds: whole_seconds(reset) }
    }

    fn headers(self) -> [(HeaderName, HeaderValue); 3] {
        [(LIMIT, self.limit.into()), (REMAINING, self.remaining.into()), (RESET, self.reset_seconds.into())]
    }

    /// Of several limits, shows the limit with the fewest requests remaining.
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

struct RateLimit {
    quota: Quota,
    limiter: RateLimiter<usize, Slots, MonotonicClock, StateInformationMiddleware>,
    /// The state of the limiter.
    slots: Slots,
    seed: RandomState,
}

impl RateLimit {
    fn new(quota: Quota) -> Self {
        let slots = Slots::default();
        let limiter = RateLimiter::<_, _, _, NoOpMiddleware<_>>::new(quota, slots.clone(), MonotonicClock);
        Self { quota, limiter: limiter.with_middleware(), slots, seed: RandomState::new() }
    }

    fn check(&self, key: &impl Hash) -> Result<RateLimitState, ApiError> {
        self.check_slot(self.slot(key))
    }

    fn slot(&self, key: &impl Hash) -> usize {
        // The remainder is below the number of slots.
        (self.seed.hash_one(key) % SLOTS as u64) as usize
    }

    fn check_slot(&self, slot: usize) -> Result<RateLimitState, ApiError> {
        match self.limiter.check_key(&slot) {
            Ok(state) => Ok(RateLimitState::new(self.quota, state.remaining_burst_capacity())),
            Err(refused) => {
                let wait_seconds = whole_seconds(refused.wait_time_from(self.limiter.clock().now())).max(1);
                Err(too_many_requests(RateLimitState::new(self.quota, 0), wait_seconds))
            }
        }
    }

    /// Reverts one successful check: the theoretical arrival time, which each check moves on, moves back.
    fn uncount(&self, slot: usize) {
        let interval = Nanos::from(self.quota.replenish_interval());
        let reverted = self.slots.measure_and_replace(&slot, |arrival| match arrival {
            Some(arrival) => Ok(((), arrival.saturating_sub(interval))),
            None => Err(()),
        });
        // Without an arrival time nothing is counted.
        reverted.unwrap_or_default();
    }
}

fn too_many_requests(state: RateLimitState, wait_seconds: u64) -> ApiError {
    let detail = format!("too many requests; try again in {wait_seconds} s");
    let error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "Too many requests", detail);
    let error = error.with_header(axum::http::header::RETRY_AFTER, wait_seconds);
    state.headers().into_iter().fold(error, |error, (name, value)| error.with_header(name, value))
}

/// 8 bytes each. With a thousand clients in the same second, about 1 in 65 shares its slot.
const SLOTS: usize = 1 << 16;

#[derive(Clone)]
struct Slots(Arc<[InMemoryState]>);

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

    /// How many of `tries` are admitted at once.
    fn admitted(tries: u32, check: impl Fn() -> Result<(), ApiError>) -> u32 {
        (0..tries).map(|_| u32::from(check().is_ok())).sum()
    }

    #[test]
    fn a_caller_may_send_a_burst_of_one_second_and_then_evenly() {
        let limits = RateLimits::new(20, 0);
        let first = admitted(100, || limits.per_caller("ada"));
        assert!((20..25).contains(&first), "{first}");
        assert!(limits.per_caller("bob").is_ok(), "other callers are not limited");
        std::thread::sleep(Duration::from_millis(500));
        let second = admitted(100, || limits.per_caller("ada"));
        assert!((8..18).contains(&second), "{second}");
    }

    #[test]
    fn attempts_are_counted_by_the_minute_and_apart_from_requests() {
        let limits = RateLimits::new(100, 3);
        assert_eq!(admitted(10, || limits.per_recipient("ada@example.com")), 3);
        assert_eq!(admitted(10, || limits.per_recipient("ADA@example.com")), 0, "it is the same mailbox");
        assert_eq!(admitted(10, || limits.per_recipient("ada+shop@example.com")), 0, "and so is this");
        assert_eq!(admitted(10, || limits.per_recipient("bob@example.com")), 3);
        assert_eq!(admitted(50, || limits.per_account("ada@example.com")), 30);
        assert_eq!(admitted(50, || limits.per_account("Ada@Example.com")), 0);
        assert_eq!(admitted(10, || limits.per_caller("ada@example.com")), 10);
    }

    #[test]
    fn without_limits_every_request_is_admitted() {
        for limits in [RateLimits::new(0, 0), RateLimits::default()] {
            assert_eq!(admitted(10_000, || limits.per_caller("ada")), 10_000);
            assert_eq!(admitted(10_000, || limits.per_account("ada")), 10_000);
        }
    }

    #[test]
    fn a_released_mail_is_not_counted() {
        let limits = RateLimits::new(0, 10);
        for _ in 0..100 {
            limits.reserve_mail("ada@example.com").unwrap().release();
        }
        let mut reserved: Vec<_> = (0..10).map(|_| limits.reserve_mail("ada@example.com").unwrap()).collect();
        assert!(limits.per_recipient("ada@example.com").is_err(), "reserved mails are counted");
        reserved.drain(..3).for_each(ReservedMail::release);
        assert_eq!(admitted(20, || limits.per_recipient("Ada@example.com")), 3);
        drop(reserved);
        assert!(limits.per_recipient("ada@example.com").is_err(), "a dropped reservation stays counted");
    }

    #[test]
    fn a_refused_request_states_how_long_to_wait() {
        let limits = RateLimits::new(0, 10);
        assert_eq!(admitted(20, || limits.per_recipient("ada")), 10);
        let response = limits.per_recipient("ada").unwrap_err().into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("retry-after"), "6");
        assert_eq!((header("ratelimit-limit"), header("ratelimit-remaining")), ("10".to_owned(), "0".to_owned()));
        assert_eq!(header("ratelimit-reset"), "60");
    }

    #[test]
    fn the_limit_with_the_fewest_requests_remaining_is_shown() {
        let mut headers = HeaderMap::new();
        let state = |limit, remaining| RateLimitState { limit, remaining, reset_seconds: 1 };
        for (limit, remaining) in [(100, 50), (10, 3), (100, 49)] {
            state(limit, remaining).show(&mut headers);
        }
        assert_eq!((&headers[LIMIT], &headers[REMAINING]), (&HeaderValue::from(10), &HeaderValue::from(3)));
        assert_eq!(headers.len(), 3);
    }

    #[test]
    fn a_check_costs_next_to_nothing() {
        let limits = RateLimits::new(1_000_000, 0);
        let round = || {
            let started = Instant::now();
            assert_eq!(admitted(10_000, || limits.per_caller("0198f7a0-0000-7000-8000-000000000001")), 10_000);
            started.elapsed() / 10_000
        };
        let best = (0..10).map(|_| round()).min().unwrap();
        eprintln!("a check takes {best:?}");
        assert!(best < Duration::from_micros(5), "{best:?}");
    }
}
