//! Audit of the log against the guarantees of the journal and the rules of the shop.
//!
//! Each rule is a SQL query that finds its violations in the log itself, and trusts nothing derived from it. A rule that
//! is younger than the log holds from the position in `log_rule_start` on.
//! All queries run on one snapshot of the database, so the shop may sell meanwhile. Nothing here writes.

use std::fmt::{Display, Formatter};

use sqlx::{Executor, PgConnection, PgPool};

use crate::database::begin_transaction;

/// Result of one rule.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedRule {
    pub name: &'static str,
    /// How many of `unit` the rule was checked on.
    pub checked: i64,
    pub unit: &'static str,
    /// Number of violations.
    pub offences: i64,
    /// The first violations by position.
    pub findings: Vec<LogFinding>,
}

/// One violation of a rule.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct LogFinding {
    /// Its position in the log.
    pub position: i64,
    /// The subject of the violation: a stream, an order and its product, a key.
    pub subject: String,
    pub expected: String,
    pub found: String,
}

impl Display for LogFinding {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        let Self { position, subject, expected, found } = self;
        write!(formatter, "position {position}, {subject}: expected {expected}; found {found}")
    }
}

/// A query that returns a [`LogFinding`] for each violation.
struct LogRule {
    name: &'static str,
    unit: &'static str,
    /// Counts what the rule is checked on.
    count: &'static str,
    offences: &'static str,
}

macro_rules! rules {
    ($($name:literal: $unit:literal, $count:literal;)*) => {
        const RULES: &[LogRule] = &[$(LogRule {
            name: $name,
            unit: $unit,
            count: $count,
            offences: include_str!(concat!($name, ".sql")),
        }),*];
    };
}

rules! {
    "positions": "events", "select count(*) from event_log";
    "times": "events", "select count(*) from event_log";
    "streams": "streams", "select count(*) from (select distinct aggregate_type, aggregate_id from event_log) as stream";
    "stock": "stock events", "select count(*) from event_log where aggregate_type = 'Product' and event_type like 'Stock%'";
    "low_stock": "products that ran low", "select count(*) from event_log where event_type = 'ProductRanLow'";
    "reservations": "orders", "select count(*) from event_log where event_type = 'OrderPlaced'";
    "units": "orders", "select count(*) from event_log where event_type = 'OrderPlaced'";
    "money": "orders", "select count(*) from event_log where event_type = 'OrderPlaced'";
    "captures": "shipments", "select count(*) from event_log where event_type = 'OrderShipmentSent'";
    "discounts": "orders", "select count(*) from event_log where event_type = 'OrderPlaced'";
    "checkouts": "checkouts", "select count(*) from event_log where event_type = 'CartCheckedOut'";
    "addresses": "default addresses",
        "select count(*) from event_log where event_type = 'CustomerDefaultAddressesChanged'";
    "images": "events of images", "select count(*) from event_log where event_type like 'ProductImage%'";
    "categories": "categories", "select count(*) from event_log where event_type = 'CategoryCreated'";
    "families": "places in families",
        "select count(*) from event_log where event_type in ('FamilyProductAdded', 'FamilyProductChanged')";
    "wishlists": "wishlist events", "select count(*) from event_log where aggregate_type = 'Wishlist'";
    "keys": "events", "select count(*) from event_log where metadata ? 'key_digest'";
    "answers": "answers", "select count(*) from idempotency";
    "archive": "streams", "select count(*) from (select distinct aggregate_type, aggregate_id from event_log) as stream";
}

/// Maximum number of findings for each rule.
const FINDINGS: i64 = 10;

/// Checks the whole log against every rule.
pub async fn check_log(pool: &PgPool) -> Result<Vec<CheckedRule>, sqlx::Error> {
    let mut transaction = begin_transaction(pool, "begin isolation level repeatable read read only").await?;
    // A long log needs more time than any query of a client may take.
    transaction.execute("set local statement_timeout = 0").await?;
    // Each rule reads the whole log. Before the first `analyze`, the planner takes the log for small and would join it by
    // nested loops, which takes hours instead of seconds.
    transaction.execute("set local enable_nestloop = off").await?;
    let mut checked = Vec::with_capacity(RULES.len());
    for rule in RULES {
        checked.push(check(&mut transaction, rule).await?);
    }
    transaction.rollback().await?;
    Ok(checked)
}

async fn check(connection: &mut PgConnection, rule: &LogRule) -> Result<CheckedRule, sqlx::Error> {
    #[derive(sqlx::FromRow)]
    struct Row {
        offences: i64,
        #[sqlx(flatten)]
        finding: LogFinding,
    }
    let checked = sqlx::query_scalar(rule.count).fetch_one(&mut *connection).await?;
    let statement = format!(
        "select count(*) over () as offences, position, subject, expected, found
         from ({}) as finding
         order by position, subject
         limit {FINDINGS}",
        rule.offences
    );
    let rows: Vec<Row> = sqlx::query_as(&statement).fetch_all(connection).await?;
    Ok(CheckedRule {
        name: rule.name,
        checked,
        unit: rule.unit,
        offences: rows.first().map_or(0, |row| row.offences),
        findings: rows.into_iter().map(|row| row.finding).collect(),
    })
}
