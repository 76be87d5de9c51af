//! `cartwright status`: positions of the log and the read tables, scheduled tasks, mails.

use std::process::ExitCode;

use anyhow::bail;

use super::database::with_database;
use super::output::print;
use crate::config::DatabaseConfig;
use crate::database::Location;
use crate::mail::{self, UnmailableOwners};
use crate::projector::{self, ProjectionState};
use crate::scheduler;

pub(super) async fn print_status(location: &Location, config: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let (projections, tasks, unmailable) = with_database(location, async |database| {
        let pool = &database.pool;
        let projections = projector::status(pool).await?;
        Ok((projections, scheduler::status(pool).await?, mail::find_unmailable(pool).await?))
    })
    .await?;
    let head = projections.first().map_or(0, |projection| projection.head);
    let mails = match &config.smtp_url {
        Some(_) => "mails are sent by SMTP".to_owned(),
        None => format!("mails are written to {}", config.mail_dir().display()),
    };
    print(&format!("{}\nthe log ends at position {head}\n{mails}\n", location.describe()));
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
    if let Some(line) = describe_unmailable(&unmailable) {
        print(&format!("\n{line}"));
    }
    match projections.into_iter().find_map(|projection| projection.last_error) {
        Some(error) => bail!("the projector has stopped: {error}"),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Numbers that one line shows at most.
const MAX_SHOWN: usize = 20;

/// Names the owners of e-mail addresses to which no mail is sent; `None` if there are none.
fn describe_unmailable(owners: &UnmailableOwners) -> Option<String> {
    let kinds =
        [("customers", &owners.customers), ("accounts", &owners.accounts), ("orders of guests", &owners.orders)];
    let parts: Vec<_> = kinds.into_iter().filter(|(_, ids)| !ids.is_empty()).map(describe_ids).collect();
    (!parts.is_empty()).then(|| format!("no mail is sent to invalid e-mail addresses of {}", parts.join("; ")))
}

fn describe_ids((kind, ids): (&str, &Vec<i64>)) -> String {
    let shown: Vec<_> = ids.iter().take(MAX_SHOWN).map(ToString::to_string).collect();
    let more = if ids.len() > MAX_SHOWN { ", …" } else { "" };
    format!("{} {kind}: {}{more}", ids.len(), shown.join(", "))
}
