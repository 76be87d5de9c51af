//! `cartwright status`: positions of the log and the read tables, scheduled tasks, mails.

use std::process::ExitCode;

use anyhow::bail;
use sqlx::PgPool;

use super::database::with_database;
use super::output::print;
use crate::config::DatabaseConfig;
use crate::database::Location;
use crate::database::failure::DatabaseFailure;
use crate::payments;
use crate::projector::{self, ProjectionState};
use crate::scheduler;

pub(super) async fn print_status(location: &Location, config: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let (projections, tasks, orders) = with_database(location, async |database| {
        let (projections, tasks) = (projector::status(&database.pool).await?, scheduler::status(&database.pool).await?);
        Ok((projections, tasks, describe_payments(&database.pool).await?))
    })
    .await?;
    let head = projections.first().map_or(0, |projection| projection.head);
    let mail = match &config.smtp_url {
        Some(_) => "mails are sent by SMTP".to_owned(),
        None => format!("mails are written to {}", config.mail_dir().display()),
    };
    print(&format!("{}\nthe log ends at position {head}\n{mail}\n{orders}\n", location.describe()));
    for projection in &projections {
        let state = match projection.state {
            ProjectionState::Live => "live",
            ProjectionState::Rebuilding => "rebuilding",
            ProjectionState::Stopped => "stopped",
            ProjectionState::Missing => "missing",
        };
        let (name, position, lag) = (&projection.name, projection.position, projection.lag);
        print(&format!("{name:17} {state:10} at {position}, {lag} events behind"));
    }
    print("");
    for task in &tasks {
        let last = task.last_run_at.map_or("has not run".to_owned(), |at| format!("ran {}", at.format("%F %T")));
        let error = task.last_error.as_ref().map_or(String::new(), |error| format!(", failed: {error}"));
        print(&format!("{:17} {last}, next run {}{error}", task.name, task.due_at.format("%F %T")));
    }
    match projections.into_iter().find_map(|projection| projection.last_error) {
        Some(error) => bail!("the projector has stopped: {error}"),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Describes how guests may pay, and the orders whose payment staff must look after.
async fn describe_payments(pool: &PgPool) -> Result<String, sqlx::Error> {
    let guests = match payments::guest_invoices_by_default(pool).await? {
        true => "guests may pay by invoice, because the shop is older than --guest-invoices; =false ends it",
        false => "guests may not pay by invoice, unless --guest-invoices=true",
    };
    let waiting = sqlx::query_file_scalar!("projections/orders/count_partially_paid.sql").fetch_one(pool).await;
    Ok(match waiting {
        Ok(0) => guests.to_owned(),
        Ok(orders) => format!("{guests}\n{orders} partially paid: GET orders/?payment=partially_paid"),
        // The table is still being built.
        Err(error) if DatabaseFailure::of(&error) == DatabaseFailure::MissingTable => guests.to_owned(),
        Err(error) => return Err(error),
    })
}
