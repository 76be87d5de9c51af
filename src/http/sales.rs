//! Sales by day, week or month.

use axum::extract::{OriginalUri, State};
use chrono::{Datelike, Months, NaiveDate, TimeDelta};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::http::App;
use crate::http::wire::amount::Amount;
use crate::http::wire::error::{ApiError, Problem};
use crate::http::wire::page::{DEFAULT_LIMIT, Day, Page, PageOf, Params, check_range};

/// Orders placed in a period, without cancelled ones.
#[derive(Serialize, ToSchema)]
pub struct Sales {
    /// First day of the period.
    pub period: NaiveDate,
    pub orders: i64,
    pub units: i64,
    pub revenue: Amount,
    /// First day that counts: that of the period, or a later `from`.
    pub from: NaiveDate,
    /// Last day that counts: that of the period, or an earlier `to`.
    pub to: NaiveDate,
    /// `false` if `from` or `to` cuts the period, so that only some of its days count.
    pub complete: bool,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SalesFilter {
    /// First day, UTC, inclusive.
    #[param(inline)]
    from: Option<Day>,
    /// Last day, UTC, inclusive.
    #[param(inline)]
    to: Option<Day>,
    #[param(inline)]
    by: Option<Period>,
}

#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    #[default]
    Day,
    /// Begins on Monday.
    Week,
    Month,
}

/// List orders, units and revenue per period; cancelled orders do not count
///
/// Periods without orders are listed too. Without `from` the list begins with the first order. Without `to` it ends today,
/// and without both with the last order. A period that `from` or `to` cuts has `"complete": false`.
#[utoipa::path(get, path = "/sales", tag = "statistics", security(("bearer" = ["reader"])), params(SalesFilter, Page),
    responses((status = 200, body = Vec<Sales>), (status = 400, body = Problem)))]
pub async fn sales(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Params(filter): Params<SalesFilter>,
    Params(page): Params<Page>,
) -> Result<PageOf<Sales>, ApiError> {
    let limit = page.limit(DEFAULT_LIMIT)?;
    let by = filter.by.unwrap_or_default();
    let (from, to) = range(filter.from, filter.to)?;
    let after: Option<NaiveDate> = page.after()?;
    if after.is_some_and(|after| !(FIRST_DAY..=LAST_DAY).contains(&after)) {
        return Err(ApiError::invalid_field("cursor", "must be taken from a Link of the same list"));
    }
    let sold = sqlx::query_file!("projections/sales/days.sql").fetch_one(&app.pool).await?;
    let first = filter.from.map(|Day(day)| day).or(sold.first_day);
    let today = filter.from.map(|_| app.journal.clock().now().date_naive());
    let last = filter.to.map(|Day(day)| day).or(sold.last_day.max(today));
    let (Some(first), Some(last)) = (first, last) else {
        return Ok(PageOf::with_next(&uri, vec![], None::<NaiveDate>));
    };
    let first = after.map_or(by.begin(first), |after| by.next_begin(after));
    let rows = sqlx::query_file_as!(
        Sales,
        "projections/sales/by_period.sql",
        by.as_str(),
        first,
        by.begin(last),
        limit + 1,
        from,
        to
    );
    let rows = rows.fetch_all(&app.pool).await?;
    Ok(PageOf::new(&uri, rows, limit, |row| row.period))
}

/// The days from `from` to `to`, all days without them; 400 if the first is after the last.
pub fn range(from: Option<Day>, to: Option<Day>) -> Result<(NaiveDate, NaiveDate), ApiError> {
    check_range(("from", from), ("to", to))?;
    Ok((from.map_or(FIRST_DAY, |Day(day)| day), to.map_or(LAST_DAY, |Day(day)| day)))
}

impl Period {
    fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// First day of the period that contains `day`.
    pub fn begin(self, day: NaiveDate) -> NaiveDate {
        match self {
            Self::Day => day,
            Self::Week => day - TimeDelta::days(day.weekday().num_days_from_monday().into()),
            Self::Month => day - TimeDelta::days(day.day0().into()),
        }
    }

    /// First day of the period after the one that contains `day`.
    pub fn next_begin(self, day: NaiveDate) -> NaiveDate {
        let begin = self.begin(day);
        match self {
            Self::Day => begin + TimeDelta::days(1),
            Self::Week => begin + TimeDelta::days(7),
            Self::Month => begin + Months::new(1),
        }
    }
}

/// The first and last day that an order may have.
const FIRST_DAY: NaiveDate = NaiveDate::from_ymd_opt(1, 1, 1).expect("it is a day");
const LAST_DAY: NaiveDate = NaiveDate::from_ymd_opt(9999, 12, 31).expect("it is a day");
