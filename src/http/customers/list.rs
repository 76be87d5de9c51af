//! The list of customers, and what staff find customers by.
//!
//! A query may hold an e-mail address, so no query is logged or stored anywhere.

use axum::extract::{OriginalUri, State};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, de};
use utoipa::IntoParams;

use crate::domain::text::Email;
use crate::http::App;
use crate::http::customers::CustomerView;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Day, LAST_MOMENT, Page, PageOf, Params, WALK_ROWS, Walked, check_range};
use crate::projector::text_key;

/// A whole e-mail address to look for; case does not matter.
pub struct EmailFilter(Email);

impl EmailFilter {
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl<'de> Deserialize<'de> for EmailFilter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // An unencoded plus sign of a query is read as a space, which no address has.
        let text = text.trim().replace(' ', "+");
        Email::parse_known(&text).map(Self).map_err(de::Error::custom)
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CustomerFilter {
    /// Words that the name or e-mail address must all contain; case and accents do not matter.
    search: Option<String>,
    /// The whole e-mail address.
    #[param(value_type = Option<Email>, inline)]
    email: Option<EmailFilter>,
    /// Registered on or after this day, UTC.
    #[param(inline)]
    registered_from: Option<Day>,
    /// Registered on or before this day, UTC.
    #[param(inline)]
    registered_to: Option<Day>,
}

/// A customer, whose profile may be gone already.
struct CustomerRow {
    customer_id: i64,
    first_name: Option<String>,
    last_name: Option<String>,
    email: Option<String>,
    registered_at: DateTime<Utc>,
    erasure_requested_at: Option<DateTime<Utc>>,
}

/// List customers, newest registration first
///
/// `search` reads a limited number of customers per page: the page may be short, or even empty, and still have a next page.
/// Erased customers are not listed.
#[utoipa::path(get, path = "/customers", tag = "customers", security(("bearer" = ["reader"])), params(CustomerFilter, Page),
    responses((status = 200, body = Vec<CustomerView>), (status = 400, body = Problem)))]
pub async fn list_customers(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Params(filter): Params<CustomerFilter>,
    Params(page): Params<Page>,
) -> Result<PageOf<CustomerView>, ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    check_range(("registered_from", filter.registered_from), ("registered_to", filter.registered_to))?;
    let cursor: (DateTime<Utc>, i64) = page.after()?.unwrap_or((LAST_MOMENT, i64::MAX));
    let end = filter.registered_to.map(|day| (day.end(), 0));
    let start = end.map_or(cursor, |end| end.min(cursor));
    let from = filter.registered_from.map_or(DateTime::UNIX_EPOCH, Day::begin);
    let words: Vec<String> = filter.search.iter().flat_map(|search| search.split_whitespace()).map(text_key).collect();
    let read = if words.is_empty() { limit + 1 } else { WALK_ROWS };
    let rows = match &filter.email {
        Some(email) => {
            sqlx::query_file_as!(CustomerRow, "projections/customers/find_by_email.sql", email.as_str())
                .fetch_all(&app.pool)
                .await?
        }
        None => {
            sqlx::query_file_as!(CustomerRow, "projections/customers/list.sql", start.0, start.1, from, read)
                .fetch_all(&app.pool)
                .await?
        }
    };
    let walked = rows.into_iter().enumerate().map(|(place, row)| {
        let in_time = (row.registered_at, row.customer_id) < start && row.registered_at >= from;
        Walked {
            found: in_time && row.matches(&words),
            last: i64::try_from(place + 1) == Ok(read) && filter.email.is_none(),
            row,
        }
    });
    let page = PageOf::of_walk(&uri, walked.collect(), limit, |row| (row.registered_at, row.customer_id));
    Ok(page.map(CustomerRow::into_view))
}

impl CustomerRow {
    /// Whether the customer is known, and name or e-mail address contain every word.
    fn matches(&self, words: &[String]) -> bool {
        let (Some(first_name), Some(last_name), Some(email)) = (&self.first_name, &self.last_name, &self.email) else {
            return false;
        };
        let searched =
            if words.is_empty() { String::new() } else { text_key(&format!("{first_name} {last_name} {email}")) };
        words.iter().all(|word| searched.contains(word.as_str()))
    }

    fn into_view(self) -> CustomerView {
        CustomerView {
            metadata: None,
            customer_id: self.customer_id,
            first_name: self.first_name.unwrap_or_default(),
            last_name: self.last_name.unwrap_or_default(),
            email: self.email.unwrap_or_default(),
            registered_at: self.registered_at,
            erasure_requested_at: self.erasure_requested_at,
        }
    }
}
