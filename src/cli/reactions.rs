//! `cartwright reactions`: what could not be carried out after its event, by those who have the machine.

use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;

use super::say;
use crate::database::Database;
use crate::reactors::{self, ReactionState};

#[derive(Debug, Subcommand)]
pub(super) enum ReactionsCommand {
    /// Show how the reactors stand, and the reactions that wait
    List {
        #[arg(long, default_value = "parked")]
        state: ReactionState,
        /// Only those of one reactor
        #[arg(long)]
        reactor: Option<String>,
    },
    /// Try a reaction again, or everything that a reactor has parked
    Retry {
        /// Number of the reaction
        #[arg(required_unless_present = "all")]
        reaction_id: Option<i64>,
        #[arg(long, requires = "reactor", conflicts_with = "reaction_id")]
        all: bool,
        #[arg(long, requires = "all")]
        reactor: Option<String>,
    },
    /// Give a reaction up for good
    Drop { reaction_id: i64 },
}

/// Who the decisions are by.
const ACTOR: &str = "cli";

pub(super) async fn reactions(command: &ReactionsCommand, database: &Database) -> anyhow::Result<ExitCode> {
    let pool = &database.pool;
    match command {
        ReactionsCommand::List { state, reactor } => list(database, *state, reactor.as_deref()).await?,
        ReactionsCommand::Retry { reaction_id: Some(reaction_id), .. } => {
            if !reactors::retry(pool, *reaction_id, ACTOR).await? {
                bail!("there is no reaction {reaction_id}");
            }
            say(&format!("reaction {reaction_id} is tried again"));
        }
        ReactionsCommand::Retry { reaction_id: None, reactor, .. } => {
            let reactor = reactor.as_deref().unwrap_or_default();
            let retried = reactors::retry_all(pool, reactor, ACTOR).await?;
            say(&format!("{retried} reactions of {reactor} are tried again"));
        }
        ReactionsCommand::Drop { reaction_id } => {
            if !reactors::drop_one(pool, *reaction_id, ACTOR).await? {
                bail!("there is no reaction {reaction_id}");
            }
            say(&format!("reaction {reaction_id} is dropped"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(database: &Database, state: ReactionState, reactor: Option<&str>) -> anyhow::Result<()> {
    const AT_ONCE: i64 = 1_000;
    for reactor in reactors::status(&database.pool).await? {
        let reactors::ReactorStatus { name, position, lag, due, parked, .. } = reactor;
        say(&format!("{name:16} at {position}, {lag} behind, {due} due, {parked} parked"));
    }
    let mut after = 0;
    loop {
        let rows = reactors::list(&database.pool, Some(state), reactor, after, AT_ONCE).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.reaction_id;
        for row in rows {
            let target = if row.target.is_empty() { String::new() } else { format!(" for {}", row.target) };
            let reason = row.reason.unwrap_or_default();
            say(&format!(
                "{:>9} {}{target}: {} at {}, {} attempts; {reason}",
                row.reaction_id, row.reactor, row.event_type, row.position, row.attempts
            ));
        }
    }
}
