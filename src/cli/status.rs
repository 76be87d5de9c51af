//! `cartwright status`: positions of the log and the read tables, scheduled tasks, mails.

use std::process::ExitCode;

use anyhow::bail;
use sqlx::PgPool;

use super::database::with_database;
use super::output::print;
use crate::config::DatabaseConfig;
use crate::database::Location;
use crate::projector::{self, ProjectionState};
use crate::scheduler;

pub(super) async fn print_status(location: &Location, config: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let (projections, tasks, shortages) = with_database(location, async |database| {
        let pool = &database.pool;
        Ok((projector::status(pool).await?, scheduler::status(pool).await?, describe_shortages(pool).await?))
    })
    .await?;
    let head = projections.first().map_or(0, |projection| projection.head);
    let mail = match &config.smtp_url {
        Some(_) => "mails are sent by SMTP".to_owned(),
        None => format!("mails are written to {}", config.mail_dir().display()),
    };
    print(&format!("{}\nthe log ends at position {head}\n{mail}\n", location.describe()));
    if let Some(shortages) = shortages {
        print(&format!("{shortages}\n"));
    }
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

/// Reserved units that are not on hand, if there are any.
async fn describe_shortages(pool: &PgPool) -> Result<Option<String>, sqlx::Error> {
    let built: bool =
        sqlx::query_scalar("select to_regclass('live.products_short') is not null").fetch_one(pool).await?;
    if !built {
        return Ok(None);
    }
    let (products, units): (i64, i64) =
        sqlx::query_as("select count(*), coalesce(sum(missing), 0)::bigint from live.products_short")
            .fetch_one(pool)
            .await?;
    Ok((products > 0).then(|| {
        format!("{units} reserved units of {products} products are not on hand; GET orders/short/ lists their orders")
    }))
}
