//! `cartwright cleanup`: deletes old temporary files and pictures that nothing refers to.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::database::with_database;
use super::output::{print, print_error};
use crate::config::DatabaseConfig;
use crate::database::Location;
use crate::files::{CleanupOptions, MediaFiles, MediaStore, clean_up};
use crate::scheduler::parse_age;

#[derive(Args)]
pub struct CleanupArgs {
    /// Keep files that are younger: a number with `s`, `m`, `h` or `d`
    #[arg(long, default_value = "7d", value_parser = parse_age)]
    max_age: Duration,
    /// Show what would be deleted, and delete nothing
    #[arg(long)]
    dry_run: bool,
}

pub async fn run_cleanup(args: &CleanupArgs, location: &Location, config: &DatabaseConfig) -> anyhow::Result<ExitCode> {
    let store = MediaStore::open(&config.media())?;
    let options =
        CleanupOptions { max_age: args.max_age, dry_run: args.dry_run, temporary_folder: Some(config.temporary_dir()) };
    let report = with_database(location, async |database| {
        Ok(clean_up(&MediaFiles::new(store, database.pool.clone()), &options).await?)
    })
    .await?;
    for failure in &report.failures {
        print_error(&format!("{}: {}", failure.path, failure.reason));
    }
    print(&report.to_string());
    Ok(if report.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
