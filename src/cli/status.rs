//! `cartwright status`: a report for the operator, in parts.
//!
//! Each part is a function that reads the database and returns its lines; a part with nothing to say returns none. Add a
//! part here and to the list in [`report`]; it must read only what the running shop keeps, and change nothing.

use std::process::ExitCode;

use anyhow::bail;
use sqlx::PgPool;

use super::clock::clock_lines;
use super::database::with_database;
use super::output::print;
use super::restored::{identity_line, restored_lines};
use crate::catalogue::{self, AppliedFile};
use crate::config::DatabaseConfig;
use crate::database::failure::DatabaseFailure;
use crate::database::roles::reader_state;
use crate::database::{Database, Location};
use crate::domain::counted::counted;
use crate::files::{MediaFiles, MediaStore};
use crate::health;
use crate::journal::LogState;
use crate::mail::{UnmailableOwners, find_unmailable};
use crate::payments;
use crate::projector::{self, ProjectionState, ProjectionStatus};
use crate::scheduler;

/// The lines of one part of the report.
type Lines = Vec<String>;

/// Limit of `same_names.sql`.
const SAME_NAMES_SHOWN: usize = 20;

pub(super) async fn print_status(location: &Location, config: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let (parts, projections) = with_database(location, async |database| {
        let projections = projector::status(&database.pool).await?;
        Ok((report(database, location, config, &projections).await?, projections))
    })
    .await?;
    let parts = parts.into_iter().filter(|lines| !lines.is_empty()).map(|lines| lines.join("\n"));
    print(&parts.collect::<Vec<_>>().join("\n\n"));
    match projections.into_iter().find_map(|projection| projection.last_error) {
        Some(error) => bail!("the projector has stopped: {error}"),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// The parts of the report, in their order; an empty line separates them.
async fn report(
    database: &Database,
    location: &Location,
    config: &DatabaseConfig,
    projections: &[ProjectionStatus],
) -> anyhow::Result<Vec<Lines>> {
    let pool = &database.pool;
    Ok(vec![
        summary(location, config, projections),
        log_lines(database).await?,
        reader_lines(database).await?,
        warning_lines(database, config, projections).await?,
        clock_lines(&database.pool).await?,
        guest_lines(database).await?,
        file_lines(database).await?,
        of_tables(database, "orders paid in part", part_payment_lines(pool).await).await?,
        of_tables(database, "missing stock", missing_stock_lines(pool).await).await?,
        of_tables(database, "waiting erasures", erasure_lines(pool).await).await?,
        projection_lines(projections),
        task_lines(database).await?,
        unmailable_lines(&find_unmailable(&database.pool).await?),
        of_tables(database, "equal names", same_name_lines(pool).await).await?,
    ])
}

/// The database, the end of the log and the destination of mails.
fn summary(location: &Location, config: &DatabaseConfig, projections: &[ProjectionStatus]) -> Lines {
    let head = projections.first().map_or(0, |projection| projection.head);
    let mail = match &config.smtp_url {
        Some(_) => "mails are sent by SMTP".to_owned(),
        None => format!("mails are written to {}", config.mail_dir().display()),
    };
    vec![location.describe(), format!("the log ends at position {head}"), mail]
}

/// Identity of the log, and what waits for an operator since a restore.
async fn log_lines(database: &Database) -> anyhow::Result<Lines> {
    let state = LogState::read(&mut *database.pool.acquire().await?, None).await?;
    let waiting = restored_lines(&database.pool).await?;
    Ok([identity_line(&state)].into_iter().chain(waiting).collect())
}

/// What keeps people from reading with SQL.
async fn reader_lines(database: &Database) -> anyhow::Result<Lines> {
    Ok(reader_state(&mut *database.pool.acquire().await?).await?.advice().into_iter().collect())
}

/// The warnings that `/health/ready` shows too.
async fn warning_lines(
    database: &Database,
    config: &DatabaseConfig,
    projections: &[ProjectionStatus],
) -> anyhow::Result<Lines> {
    let mut warnings = health::warnings(&database.pool, projections).await?;
    let media = MediaFiles::new(MediaStore::open(&config.media())?, database.pool.clone());
    // What fails here is a warning below.
    let _ = media.check_store().await;
    warnings.extend(health::media_warning(&media.store).await);
    Ok(warnings.iter().map(|warning| format!("warning {warning}")).collect())
}

/// The lines of a part that reads tables, or a note while one of them is of another version of the program.
async fn of_tables(database: &Database, part: &str, lines: Result<Lines, sqlx::Error>) -> anyhow::Result<Lines> {
    match lines {
        Err(error)
            if DatabaseFailure::of(&error).may_be_of_other_tables()
                && projector::serves_other_tables(&database.pool).await =>
        {
            Ok(vec![format!("{part}: shown when the read tables are rebuilt")])
        }
        lines => Ok(lines?),
    }
}

/// Reserved units that are not on hand.
async fn missing_stock_lines(pool: &PgPool) -> Result<Lines, sqlx::Error> {
    let missing = sqlx::query_file!("projections/products/missing_units.sql").fetch_one(pool).await?;
    let line = format!(
        "reserved units that are not on hand: {}, products: {}; GET orders/short/ lists the orders that must wait",
        missing.units, missing.products
    );
    Ok(if missing.products > 0 { vec![line] } else { vec![] })
}

/// Unique names that are equal by the current rule.
async fn same_name_lines(pool: &PgPool) -> Result<Lines, sqlx::Error> {
    let same = sqlx::query_file!("src/cli/queries/same_names.sql").fetch_all(pool).await?;
    let is_full = same.len() == SAME_NAMES_SHOWN;
    let lines = same.into_iter().map(|row| {
        let ids: Vec<_> = row.ids.iter().map(ToString::to_string).collect();
        format!("{} {} have the same name; each keeps it until it is renamed", row.kind, ids.join(", "))
    });
    let more = is_full.then(|| format!("only {SAME_NAMES_SHOWN} groups of equal names are shown; there may be more"));
    Ok(lines.chain(more).collect())
}

/// Erasures that wait for open orders.
async fn erasure_lines(pool: &PgPool) -> Result<Lines, sqlx::Error> {
    let limit = chrono::DateTime::UNIX_EPOCH;
    let found = sqlx::query_file!("projections/customers/waiting_count.sql", limit).fetch_one(pool).await?;
    let (erasures, since) =
        (found.waiting, found.since.map_or_else(String::new, |since| since.format("%F").to_string()));
    let line = format!("erasures that wait for open orders: {erasures}, the first since {since}; see GET erasures/");
    Ok(if erasures > 0 { vec![line] } else { vec![] })
}

/// Position and lag of each read table.
fn projection_lines(projections: &[ProjectionStatus]) -> Lines {
    let line = |projection: &ProjectionStatus| {
        let state = match projection.state {
            ProjectionState::Live => "live",
            ProjectionState::Rebuilding => "rebuilding",
            ProjectionState::Stopped => "stopped",
            ProjectionState::Missing => "missing",
        };
        let ProjectionStatus { name, position, lag, .. } = projection;
        format!("{name:17} {state:10} at {position}, {} behind", counted(*lag, "event", "events"))
    };
    projections.iter().map(line).collect()
}

/// The last and the next run of each scheduled task.
async fn task_lines(database: &Database) -> anyhow::Result<Lines> {
    let tasks = scheduler::status(&database.pool).await?;
    let lines = tasks.iter().map(|task| {
        let last = task.last_run_at.map_or("has not run".to_owned(), |at| format!("ran {}", at.format("%F %T")));
        let error = match task.last_error.as_deref() {
            None => String::new(),
            Some(error) if error == scheduler::NEEDS_REBUILT_TABLE => format!(", waits: {error}"),
            Some(error) => format!(", failed: {error}"),
        };
        let schedule = task.schedule.as_ref().map_or(String::new(), |schedule| format!(" ({schedule})"));
        format!("{:17} {last}, next run {}{schedule}{error}", task.name, task.due_at.format("%F %T"))
    });
    Ok(lines.collect())
}

/// Files that were begun and not finished.
async fn file_lines(database: &Database) -> anyhow::Result<Lines> {
    let unfinished = catalogue::unfinished_files(&database.pool).await?;
    let lines = unfinished.iter().map(|file| {
        let AppliedFile { kind, name, applied_rows, total_rows, changed_at, .. } = file;
        format!(
            "unfinished {kind} of {name}: applied {applied_rows} of {}, the last {}; \
             `cartwright products {kind} {name}` finishes it",
            counted(*total_rows, "row", "rows"),
            changed_at.format("%F %T")
        )
    });
    Ok(lines.collect())
}

/// Whether guests may pay by invoice if no setting says so.
async fn guest_lines(database: &Database) -> anyhow::Result<Lines> {
    let guests = match payments::guest_invoices_by_default(&database.pool).await? {
        true => "by default guests may pay by invoice, because the shop is older than --guest-invoices; =false ends it",
        false => "by default guests may not pay by invoice; --guest-invoices=true offers it",
    };
    Ok(vec![guests.to_owned()])
}

/// Orders that are paid in part.
async fn part_payment_lines(pool: &PgPool) -> Result<Lines, sqlx::Error> {
    let waiting = "select count(*) from live.orders where payment = 'partially_paid' and status <> 'cancelled'";
    let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(pool).await?;
    let line = format!("orders paid in part: {waiting}; see GET orders/?payment=partially_paid");
    Ok(if waiting > 0 { vec![line] } else { vec![] })
}

/// Numbers that one line shows at most.
const MAX_SHOWN: usize = 20;

/// The owners of e-mail addresses to which no mail is sent.
fn unmailable_lines(owners: &UnmailableOwners) -> Lines {
    let kinds = [
        ("customer has", "customers have", &owners.customers),
        ("account has", "accounts have", &owners.accounts),
        ("order of a guest has", "orders of guests have", &owners.orders),
    ];
    let lines = kinds.into_iter().filter(|(.., ids)| !ids.is_empty()).map(|(one, many, ids)| {
        let shown: Vec<_> = ids.iter().take(MAX_SHOWN).map(ToString::to_string).collect();
        let more = if ids.len() > MAX_SHOWN { ", …" } else { "" };
        let owners = counted(ids.len(), one, many);
        format!("{owners} an e-mail address that cannot be mailed: {}{more}", shown.join(", "))
    });
    lines.collect()
}
