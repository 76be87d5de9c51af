//! `cartwright archive`: moves closed orders and dead carts to the archive, and restores archive files.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};

use super::database::with_database;
use super::output::print;
use crate::archive::{self, ArchiveOptions, ArchivedKind};
use crate::database::Location;
use crate::domain::ids::CustomerId;
use crate::domain::order::Status;
use crate::scheduler::parse_age;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct ArchiveArgs {
    #[command(subcommand)]
    command: Option<ArchiveCommand>,
    /// Archive only streams whose last event is older: a number with `s`, `m`, `h` or `d`
    #[arg(long, value_name = "AGE", required = true, value_parser = parse_age)]
    older_than: Option<Duration>,
    /// Archive only this kind [default: both]
    #[arg(long, value_delimiter = ',')]
    kind: Vec<ArchivedKind>,
    /// Archive only orders of these statuses, comma-separated, and no carts [default: both]
    #[arg(long, value_delimiter = ',', value_parser = PossibleValuesParser::new(["completed", "cancelled"]).map(|word| status(&word)))]
    status: Vec<Status>,
    /// Archive only orders and carts of this customer
    #[arg(long, value_name = "CUSTOMER_ID", value_parser = clap::value_parser!(i64).range(1..))]
    customer: Option<i64>,
    /// Count what would be archived, and archive nothing
    #[arg(long)]
    dry_run: bool,
    /// Also write the events to this file, before they are moved
    #[arg(long, value_name = "FILE.jsonl.zst", conflicts_with = "dry_run")]
    to: Option<PathBuf>,
}

#[derive(Subcommand)]
enum ArchiveCommand {
    /// Read an archive file back into the archive, all or nothing
    Restore {
        /// The file; its manifest is beside it
        file: PathBuf,
    },
}

pub(super) async fn run_archive_command(args: &ArchiveArgs, location: &Location) -> anyhow::Result<ExitCode> {
    let report = with_database(location, async |database| match &args.command {
        Some(ArchiveCommand::Restore { file }) => Ok(archive::restore(&database.pool, file).await?.to_string()),
        None => {
            let options = ArchiveOptions {
                older_than: args.older_than.context("--older-than is required")?,
                kinds: args.kind.clone(),
                statuses: args.status.clone(),
                customer: args.customer.map(CustomerId),
                dry_run: args.dry_run,
                file: args.to.clone(),
                most_events: None,
            };
            Ok(archive::run(&database.pool, &options).await?.to_string())
        }
    })
    .await?;
    print(&report);
    Ok(ExitCode::SUCCESS)
}

fn status(word: &str) -> Status {
    if word == Status::Cancelled.as_str() { Status::Cancelled } else { Status::Completed }
}
