//! `cartwright restored`: begins a new generation of the log after an older database was restored.

use std::process::ExitCode;

use sqlx::PgPool;

use super::database::with_database;
use super::output::print;
use crate::database::Location;
use crate::domain::counted::counted;
use crate::journal::{self, BegunGeneration, LogFile, LogIdentity, LogState};
use crate::reactors;

pub(super) async fn declare_restored(location: &Location) -> anyhow::Result<ExitCode> {
    let lines = with_database(location, async |database| {
        let file = LogFile::in_data_folder(location.data_dir());
        let BegunGeneration { state, begun } = journal::declare_restored(&database.pool, &file).await?;
        let LogIdentity { log_id, generation } = state.identity;
        let begins = if begun { "begins" } else { "has begun already, and has no event yet" };
        let mut lines = vec![
            format!("generation {generation} of log {log_id} {begins} after position {}", state.began_after),
            "readers of earlier generations get 410; accounts must log in again".to_owned(),
        ];
        lines.extend(restored_lines(&database.pool).await?);
        Ok(lines)
    })
    .await?;
    print(&lines.join("\n"));
    Ok(ExitCode::SUCCESS)
}

/// Identity of the log, for `status`.
pub(super) fn identity_line(state: &LogState) -> String {
    let LogState { identity: LogIdentity { log_id, generation }, began_at, began_after, .. } = state;
    let since = match generation {
        1 => String::new(),
        _ => format!(", restored {} at position {began_after}", began_at.format("%F %T UTC")),
    };
    format!("log {log_id}, generation {generation}{since}")
}

/// Reactions that wait for an operator since a restore.
pub(super) async fn restored_lines(pool: &PgPool) -> anyhow::Result<Vec<String>> {
    let waiting = reactors::restored(pool).await?;
    let decide = "they may have been carried out before the restore: `cartwright reactions retry --restored` \
        or `cartwright reactions drop --restored` decides, with --reactor NAME for one kind";
    let lines = waiting.iter().map(|reactions| {
        let reactors::RestoredReactions { reactor, parked, not_enqueued } = reactions;
        let more = match not_enqueued {
            0 => String::new(),
            events => {
                format!(", and those of {} not enqueued yet", counted(*events, "event that is", "events that are"))
            }
        };
        let parked = counted(*parked, "reaction waits", "reactions wait");
        format!("{reactor}: {parked} for a decision since the restore{more}")
    });
    let decide = (!waiting.is_empty()).then(|| decide.to_owned());
    Ok(lines.chain(decide).collect())
}
