//! What an operator should know about a shop beyond its tables and tasks: for `cartwright status` and `GET status/`.
//!
//! Each part is a function that reads what the running shop keeps, with a bound, and changes nothing. A part that reads
//! tables is `None` while they are rebuilt by another version of the program.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::applied_files::{self, AppliedFile};
use crate::database::failure::DatabaseFailure;
use crate::journal::{LogIdentity, LogState};
use crate::payments;
use crate::projector;
use crate::reactors::{self, RestoredReactions};

/// The report.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StatusReport {
    pub log: LogReport,
    /// Files that `cartwright products deploy` and `products import` applied: unfinished ones first, then the last.
    pub applied_files: Vec<AppliedFileReport>,
    /// Reactions that wait for a decision since an older database was restored.
    pub restored_reactions: Vec<RestoredReactions>,
    /// Whether guests may pay by invoice if no setting says so.
    pub guest_invoices_by_default: bool,
    /// Number of orders that are paid in part; null while the table is rebuilt.
    pub part_paid_orders: Option<i64>,
    /// Reserved units that are not on hand; null while the table is rebuilt.
    pub missing_stock: Option<MissingStock>,
    /// Erasures that wait for open orders; null while the table is rebuilt.
    pub waiting_erasures: Option<WaitingErasures>,
}

/// The log and its generation.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LogReport {
    pub log_id: Uuid,
    /// Counts from 1; a restored older database begins the next.
    pub generation: i64,
    /// When the generation began.
    pub began_at: DateTime<Utc>,
    /// Events up to this position are those of the generation before.
    pub began_after: i64,
    /// Position of the last event.
    pub position: i64,
}

/// A file that was applied to the catalogue.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AppliedFileReport {
    /// `deploy` or `import`.
    pub kind: String,
    pub name: String,
    pub total_rows: i64,
    /// Fewer than `total_rows` until it is finished.
    pub applied_rows: i64,
    pub created: u64,
    pub changed: u64,
    pub unchanged: u64,
    /// Number of rows that were left out.
    pub refused: i64,
    /// The first rows that were left out.
    pub first_refused: Vec<RefusedRowReport>,
    /// The dump that was written before the first row.
    pub backup: Option<String>,
    pub began_at: DateTime<Utc>,
    pub changed_at: DateTime<Utc>,
}

/// A row that was left out.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RefusedRowReport {
    /// Counts from 1.
    pub row: u64,
    pub reason: String,
}

/// Reserved units that are not on hand.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct MissingStock {
    pub units: i64,
    pub products: i64,
}

/// Erasures that wait for open orders.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct WaitingErasures {
    pub erasures: i64,
    /// When the first of them was requested.
    pub since: Option<DateTime<Utc>>,
}

/// The most applied files of a report, and the most refused rows of each.
const FILES: i64 = 20;
const REFUSED_ROWS: usize = 10;

/// Reads the whole report.
pub async fn read(pool: &PgPool) -> Result<StatusReport, sqlx::Error> {
    let log = LogState::read(&mut *pool.acquire().await?, None).await?;
    let (files, restored_reactions, guest_invoices_by_default) = tokio::try_join!(
        applied_files::latest_files(pool, FILES),
        reactors::restored(pool),
        payments::guest_invoices_by_default(pool)
    )?;
    let (part_paid_orders, missing_stock, waiting_erasures) = tokio::try_join!(
        of_tables(pool, count_part_paid(pool)),
        of_tables(pool, find_missing_stock(pool)),
        of_tables(pool, find_waiting_erasures(pool))
    )?;
    Ok(StatusReport {
        log: LogReport::from(log),
        applied_files: files.into_iter().map(AppliedFileReport::from).collect(),
        restored_reactions,
        guest_invoices_by_default,
        part_paid_orders,
        missing_stock,
        waiting_erasures,
    })
}

/// What a part reads from tables; `None` while one of them is of another version of the program.
pub async fn of_tables<T>(
    pool: &PgPool,
    part: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<Option<T>, sqlx::Error> {
    match part.await {
        Err(error)
            if DatabaseFailure::of(&error).may_be_of_other_tables() && projector::serves_other_tables(pool).await =>
        {
            Ok(None)
        }
        read => read.map(Some),
    }
}

async fn count_part_paid(pool: &PgPool) -> Result<i64, sqlx::Error> {
    let waiting = "select count(*) from live.orders where payment = 'partially_paid' and status <> 'cancelled'";
    sqlx::query_scalar(waiting).fetch_one(pool).await
}

async fn find_missing_stock(pool: &PgPool) -> Result<MissingStock, sqlx::Error> {
    let missing = sqlx::query_file!("projections/products/missing_units.sql").fetch_one(pool).await?;
    Ok(MissingStock { units: missing.units, products: missing.products })
}

async fn find_waiting_erasures(pool: &PgPool) -> Result<WaitingErasures, sqlx::Error> {
    let limit = DateTime::UNIX_EPOCH;
    let found = sqlx::query_file!("projections/customers/waiting_count.sql", limit).fetch_one(pool).await?;
    Ok(WaitingErasures { erasures: found.waiting, since: found.since })
}

impl From<LogState> for LogReport {
    fn from(state: LogState) -> Self {
        let LogState { identity: LogIdentity { log_id, generation }, began_at, began_after, position, .. } = state;
        Self { log_id, generation, began_at, began_after, position }
    }
}

impl From<AppliedFile> for AppliedFileReport {
    fn from(file: AppliedFile) -> Self {
        let AppliedFile { kind, name, total_rows, applied_rows, counts, refused, backup, began_at, changed_at, .. } =
            file;
        let sections = counts.0.0.values();
        let refused = refused.0;
        Self {
            created: sections.clone().map(|section| section.created).sum(),
            changed: sections.clone().map(|section| section.changed).sum(),
            unchanged: sections.map(|section| section.unchanged).sum(),
            refused: i64::try_from(refused.len()).unwrap_or(i64::MAX),
            first_refused: refused
                .into_iter()
                .take(REFUSED_ROWS)
                .map(|refused| RefusedRowReport { row: refused.row, reason: refused.reason })
                .collect(),
            kind,
            name,
            total_rows,
            applied_rows,
            backup,
            began_at,
            changed_at,
        }
    }
}

impl AppliedFileReport {
    pub fn is_finished(&self) -> bool {
        self.applied_rows >= self.total_rows
    }
}
