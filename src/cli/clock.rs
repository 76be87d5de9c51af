//! `cartwright clock`: the clock of the database, what waits for it, and its acceptance.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use sqlx::PgPool;

use super::database::with_database;
use super::output::print;
use crate::clock::{self, ClockReading, ClockVerdict, REPORTED_OFFSET};
use crate::database::Location;
use crate::database::failure::DatabaseFailure;
use crate::projector;
use crate::scheduler;

#[derive(Args)]
pub(super) struct ClockArgs {
    #[command(subcommand)]
    command: Option<ClockCommand>,
    /// Days after which carts expire, as in the settings of the server
    #[arg(long, env = "SHOP_CART_DAYS", default_value_t = 30)]
    cart_days: u32,
}

#[derive(Subcommand)]
enum ClockCommand {
    /// Accept the time of the database on all nodes; the scheduled tasks run again
    Accept,
}

pub(super) async fn run_clock_command(args: &ClockArgs, location: &Location) -> anyhow::Result<ExitCode> {
    let lines = with_database(location, async |database| {
        let pool = &database.pool;
        let mut lines = clock_lines(pool).await?;
        let reading = clock::read(pool).await?;
        lines.extend(task_lines(pool, &reading, args.cart_days).await?);
        if let Some(ClockCommand::Accept) = args.command {
            let accepted = clock::accept(pool).await?;
            lines.push(format!("accepted {}; the scheduled tasks run", accepted.format("%F %T UTC")));
        }
        Ok(lines)
    })
    .await?;
    print(&lines.join("\n"));
    Ok(ExitCode::SUCCESS)
}

/// The clock of the database, and of this machine if it is wrong.
pub(super) async fn clock_lines(pool: &PgPool) -> anyhow::Result<Vec<String>> {
    // Read only: a heartbeat would count as a sign of a running shop.
    let reading = clock::read(pool).await?;
    let offset = clock::node_time() - reading.clock_time;
    let shown =
        |time: Option<DateTime<Utc>>| time.map_or("never".to_owned(), |time| time.format("%F %T UTC").to_string());
    let mut lines = vec![format!("time of the database: {}", reading.clock_time.format("%F %T UTC"))];
    if reading.verdict != ClockVerdict::Plausible {
        let (known, log) = (shown(reading.known_time), shown(reading.log_time));
        lines.push(format!("the shop was last seen: {known}; last event: {log}"));
        lines.push(format!("{}; scheduled tasks wait for `cartwright clock accept`", reading.describe()));
    }
    if offset.abs() > REPORTED_OFFSET {
        lines.push(clock::describe_offset(offset));
    }
    Ok(lines)
}

/// What the scheduled tasks would do.
async fn task_lines(pool: &PgPool, reading: &ClockReading, cart_days: u32) -> anyhow::Result<Vec<String>> {
    match scheduler::preview(pool, reading.clock_time, cart_days).await {
        Ok(preview) => Ok(preview.lines()),
        Err(error)
            if DatabaseFailure::of(&error).may_be_of_other_tables() && projector::serves_other_tables(pool).await =>
        {
            Ok(vec!["what the tasks would do is shown when the read tables are rebuilt".to_owned()])
        }
        Err(error) => Err(error.into()),
    }
}
