//! Lists come in pages: `limit`, an opaque `cursor`, and a `Link` to the next page.

use axum::Json;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::header::{ETAG, LINK};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::IntoParams;

use crate::http::wire::error::ApiError;
use crate::http::wire::text_input::{from_path, from_query};
use crate::journal::{EntityTag, ViewDigest};

/// The requested part of a list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Maximum number of items, 1 to 1000.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<i64>,
    /// Start of the page, from the `Link` header of the previous page.
    pub cursor: Option<String>,
}

pub const DEFAULT_LIMIT: i64 = 100;
pub const MAX_LIMIT: i64 = 1_000;

/// Start of lists that begin with the newest row.
pub const LAST_MOMENT: DateTime<Utc> =
    NaiveDate::from_ymd_opt(9999, 12, 31).expect("it is a day").and_time(NaiveTime::MIN).and_utc();

/// One page of a list, as a JSON array.
pub struct PageOf<T> {
    rows: Vec<T>,
    next: Option<HeaderValue>,
}

/// A row that a bounded walk has read.
///
/// A walk follows an index and reads a limited number of rows, so its page may be short, or even empty, and still have a
/// next page.
pub struct Walked<T> {
    pub row: T,
    /// Whether the row matches the filter.
    pub found: bool,
    /// Whether the walk read as many rows as it may, and this is the last of them.
    pub last: bool,
}

/// Rows that a walk reads at most.
pub const WALK_ROWS: i64 = 10_000;

impl Page {
    /// The number of rows of the page. Queries read an extra row, which shows whether there is a next page.
    pub fn limit(&self, default: i64) -> Result<i64, ApiError> {
        match self.limit.unwrap_or(default) {
            limit @ 1..=MAX_LIMIT => Ok(limit),
            _ => Err(ApiError::invalid_field("limit", format!("must be from 1 to {MAX_LIMIT}"))),
        }
    }

    /// The key of the last row of the previous page.
    pub fn after<Key: DeserializeOwned>(&self) -> Result<Option<Key>, ApiError> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let key = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|key| serde_json::from_slice(&key).ok());
        key.map(Some).ok_or_else(|| ApiError::invalid_field("cursor", "must be taken from a Link of the same list"))
    }
}

impl<T> PageOf<T> {
    /// A page from up to `limit + 1` rows; `key` of its last row is the cursor of the next page.
    pub fn new<Key: Serialize>(uri: &Uri, mut rows: Vec<T>, limit: i64, key: impl Fn(&T) -> Key) -> Self {
        let limit = usize::try_from(limit).unwrap_or_default();
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).and_then(|last| next_link(uri, &key(last)));
        Self { rows, next }
    }

    /// A page with the cursor of the next page, if any.
    pub fn with_next<Key: Serialize>(uri: &Uri, rows: Vec<T>, next: Option<Key>) -> Self {
        Self { rows, next: next.and_then(|key| next_link(uri, &key)) }
    }

    /// A page of a bounded walk.
    pub fn of_walk<Key: Serialize>(uri: &Uri, walked: Vec<Walked<T>>, limit: i64, key: impl Fn(&T) -> Key) -> Self {
        let limit = usize::try_from(limit).unwrap_or_default();
        let mut rows = Vec::new();
        let mut next = None;
        for Walked { row, found, last } in walked {
            if rows.len() == limit && (found || last) {
                next = rows.last().map(&key);
                break;
            }
            if last {
                next = Some(key(&row));
            }
            if found {
                rows.push(row);
            }
        }
        Self::with_next(uri, rows, next)
    }

    /// Maps the rows.
    pub fn map<U>(self, map: impl FnMut(T) -> U) -> PageOf<U> {
        PageOf { rows: self.rows.into_iter().map(map).collect(), next: self.next }
    }
}

/// The same query with the cursor of the next page.
pub fn next_link(uri: &Uri, key: &impl Serialize) -> Option<HeaderValue> {
    let cursor = URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).ok()?);
    let kept =
        uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
    let query: String = kept.map(|pair| format!("{pair}&")).collect();
    HeaderValue::from_str(&format!("<{}?{query}cursor={cursor}>; rel=\"next\"", uri.path())).ok()
}

impl<T: Serialize> IntoResponse for PageOf<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.rows).into_response();
        if let Some(next) = self.next {
            response.headers_mut().insert(LINK, next);
        }
        response
    }
}

/// A resource with its tag as `ETag`.
pub struct Versioned<T> {
    tag: EntityTag,
    /// Digest of what is shown and no command can be stale about.
    remark: Option<ViewDigest>,
    body: T,
}

impl<T> Versioned<T> {
    pub fn new(tag: EntityTag, body: T) -> Self {
        Self { tag, remark: None, body }
    }

    /// Adds to the tag what is shown beyond it: `If-None-Match` compares it, `If-Match` does not.
    pub fn with_remark<Part: AsRef<[u8]>>(self, parts: impl IntoIterator<Item = Part>) -> Self {
        Self { remark: Some(ViewDigest::of(parts)), ..self }
    }
}

impl<T: Serialize> IntoResponse for Versioned<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.body).into_response();
        let remark = self.remark.map(|digest| format!("~{digest}")).unwrap_or_default();
        if let Ok(etag) = HeaderValue::from_str(&format!("\"{}{remark}\"", self.tag)) {
            response.headers_mut().insert(ETAG, etag);
        }
        response
    }
}

/// The ids in a path; 400 if an id is malformed.
pub struct Ids<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Ids<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let read = RawPathParams::from_request_parts(parts, state).await;
        let read = read.map_err(|_| ApiError::invalid_field("path", "must be UTF-8"))?;
        let ids = read.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        from_path(ids.collect()).map(Self)
    }
}

/// Query parameters of a route; 400 if one is malformed.
///
/// A route may read several such types: the layer `refuse_unknown_parameters` refuses what none of them has.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        read_query(&parts.uri).map(Self)
    }
}

/// Reads the parameters of type `T` from a query, and ignores others.
pub fn read_query<T: DeserializeOwned>(uri: &Uri) -> Result<T, ApiError> {
    from_query(uri.query().unwrap_or_default())
}

/// A UTC day in a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub NaiveDate);

impl Day {
    pub fn begin(self) -> DateTime<Utc> {
        self.0.and_time(NaiveTime::MIN).and_utc()
    }

    /// The beginning of the next day.
    pub fn end(self) -> DateTime<Utc> {
        self.begin() + TimeDelta::days(1)
    }
}

/// Checks a range of two parameters, each with its name: 400 if the first day is after the last.
pub fn check_range(from: (&str, Option<Day>), to: (&str, Option<Day>)) -> Result<(), ApiError> {
    match (from.1, to.1) {
        (Some(first), Some(last)) if first > last => {
            Err(ApiError::invalid_field(from.0, format!("must not be after {}", to.0)))
        }
        _ => Ok(()),
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let day = NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok().filter(|day| (1..=9999).contains(&day.year()));
        // The parser also takes signs, spaces and single digits.
        let day = day.filter(|day| day.to_string() == text);
        day.map(Self).ok_or_else(|| D::Error::custom("must be a date, such as 2030-01-31"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_one_form() {
        let read = |text: &str| serde_json::from_value::<Day>(text.into()).ok().map(|Day(day)| day.to_string());
        for text in ["0001-01-01", "2026-01-31", "9999-12-31"] {
            assert_eq!(read(text).as_deref(), Some(text));
        }
        let others = ["2026-1-31", "2026-01-1", "+2026-01-31", " 2026-01-31", "2026-01-31 ", "2026- 1-31", "26-01-31"];
        for text in others.into_iter().chain(["02026-01-31", "0000-01-01", "10000-01-01", "2026-02-29", ""]) {
            assert_eq!(read(text), None, "{text}");
        }
    }

    fn walk(rows: &[(i64, bool)], walked_to: usize, limit: i64) -> (Vec<i64>, Option<i64>) {
        let walked =
            rows.iter().enumerate().map(|(place, &(row, found))| Walked { row, found, last: place + 1 == walked_to });
        let uri = Uri::from_static("/shop/api/orders?limit=2");
        let page = PageOf::of_walk(&uri, walked.collect(), limit, |row| *row);
        let cursor = page.next.map(|link| {
            let link = link.to_str().unwrap().to_owned();
            let cursor = link.split("cursor=").nth(1).unwrap().split('>').next().unwrap().to_owned();
            Page { limit: None, cursor: Some(cursor) }.after::<i64>().unwrap().unwrap()
        });
        (page.rows, cursor)
    }

    #[test]
    fn a_walk_continues_after_the_page_or_after_the_last_row_that_it_read() {
        assert_eq!(walk(&[], 9, 2), (vec![], None));
        assert_eq!(walk(&[(1, true), (2, false), (3, true)], 9, 2), (vec![1, 3], None));
        assert_eq!(walk(&[(1, true), (2, true), (3, false)], 9, 2), (vec![1, 2], None));
        assert_eq!(walk(&[(1, true), (2, true), (3, true)], 9, 2), (vec![1, 2], Some(2)));
        assert_eq!(walk(&[(1, true), (2, false), (3, false)], 3, 2), (vec![1], Some(3)));
        assert_eq!(walk(&[(1, false), (2, false), (3, false)], 3, 2), (vec![], Some(3)));
        assert_eq!(walk(&[(1, true), (2, false), (3, true)], 3, 2), (vec![1, 3], Some(3)));
        assert_eq!(walk(&[(1, true), (2, true), (3, false)], 3, 2), (vec![1, 2], Some(2)));
    }
}
