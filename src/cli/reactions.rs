//! `cartwright reactions`: parked side effects of events, for operators with access to the machine.

use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;
use sqlx::PgPool;

use super::database::with_database;
use super::output::print;
use crate::database::{Database, Location};
use crate::domain::counted::counted;
use crate::reactors::{self, ReactionState};

#[derive(Subcommand)]
pub(super) enum ReactionsCommand {
    /// List the reactors with their positions, and the failed or waiting reactions
    List {
        /// State of the reactions to list: due or parked
        #[arg(long, default_value = "parked")]
        state: ReactionState,
        /// List the reactions of this reactor only
        #[arg(long)]
        reactor: Option<String>,
    },
    /// Retry a reaction, all parked reactions of a reactor, or those that wait since a restore
    Retry {
        /// Number of the reaction
        #[arg(required_unless_present_any = ["all", "restored"])]
        reaction_id: Option<i64>,
        /// Retry all parked reactions of --reactor
        #[arg(long, requires = "reactor", conflicts_with = "reaction_id")]
        all: bool,
        /// Retry the reactions that were pending when an older database was restored
        #[arg(long, conflicts_with_all = ["reaction_id", "all"])]
        restored: bool,
        /// Name of a reactor
        #[arg(long, conflicts_with = "reaction_id")]
        reactor: Option<String>,
    },
    /// Drop a reaction permanently, or those that wait since a restore
    Drop {
        /// Number of the reaction
        #[arg(required_unless_present = "restored")]
        reaction_id: Option<i64>,
        /// Drop the reactions that were pending when an older database was restored
        #[arg(long, conflicts_with = "reaction_id")]
        restored: bool,
        /// Name of a reactor
        #[arg(long, requires = "restored")]
        reactor: Option<String>,
    },
}

/// Recorded as the operator who retried or dropped a reaction.
const ACTOR: &str = "cli";

pub(super) async fn run_reactions_command(command: &ReactionsCommand, location: &Location) -> anyhow::Result<ExitCode> {
    with_database(location, async |database| run_on(command, database).await).await?;
    Ok(ExitCode::SUCCESS)
}

async fn run_on(command: &ReactionsCommand, database: &Database) -> anyhow::Result<()> {
    let pool = &database.pool;
    match command {
        ReactionsCommand::List { state, reactor } => {
            list_reactions(database, *state, known_reactor(pool, reactor).await?).await?;
        }
        ReactionsCommand::Retry { reaction_id: Some(reaction_id), .. } => {
            if !reactors::retry(pool, *reaction_id, ACTOR).await? {
                bail!("no reaction has the number {reaction_id}");
            }
            print(&format!("reaction {reaction_id} will be retried"));
        }
        ReactionsCommand::Retry { restored: true, reactor, .. } => {
            let retried = reactors::retry_restored(pool, known_reactor(pool, reactor).await?, ACTOR).await?;
            let reactions = counted(retried, "reaction", "reactions");
            print(&format!("{reactions} that waited since the restore will be retried"));
        }
        ReactionsCommand::Drop { restored: true, reactor, .. } => {
            let dropped = reactors::drop_restored(pool, known_reactor(pool, reactor).await?, ACTOR).await?;
            let (one, many) =
                ("reaction that waited since the restore was", "reactions that waited since the restore were");
            print(&format!("{} dropped", counted(dropped, one, many)));
        }
        ReactionsCommand::Retry { reaction_id: None, reactor, .. } => {
            let reactor = known_reactor(pool, reactor).await?.unwrap_or_default();
            let retried = reactors::retry_all(pool, reactor, ACTOR).await?;
            print(&format!("{} of {reactor} will be retried", counted(retried, "reaction", "reactions")));
        }
        ReactionsCommand::Drop { reaction_id, .. } => {
            let reaction_id = reaction_id.unwrap_or_default();
            if !reactors::drop_one(pool, reaction_id, ACTOR).await? {
                bail!("no reaction has the number {reaction_id}");
            }
            print(&format!("reaction {reaction_id} was dropped"));
        }
    }
    Ok(())
}

/// Fails for a name that no reactor has.
async fn known_reactor<'a>(pool: &PgPool, reactor: &'a Option<String>) -> anyhow::Result<Option<&'a str>> {
    if let Some(name) = reactor
        && !reactors::status(pool).await?.iter().any(|known| known.name == *name)
    {
        bail!("no reactor has the name {name}");
    }
    Ok(reactor.as_deref())
}

async fn list_reactions(database: &Database, state: ReactionState, reactor: Option<&str>) -> anyhow::Result<()> {
    const PAGE_SIZE: i64 = 1_000;
    for reactor in reactors::status(&database.pool).await? {
        let reactors::ReactorStatus { name, position, lag, due, parked, .. } = reactor;
        let lag = counted(lag, "event", "events");
        print(&format!("{name:16} at {position}, {lag} behind, {due} due, {parked} parked"));
    }
    let mut after = 0;
    loop {
        let rows = reactors::list(&database.pool, Some(state), reactor, after, PAGE_SIZE).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.reaction_id;
        for row in rows {
            let target = if row.target.is_empty() { String::new() } else { format!(" for {}", row.target) };
            let reason = row.reason.unwrap_or_default();
            print(&format!(
                "{:>9} {}{target}: {} at position {}, {}; {reason}",
                row.reaction_id,
                row.reactor,
                row.event_type,
                row.position,
                counted(row.attempts, "attempt", "attempts")
            ));
        }
    }
}
