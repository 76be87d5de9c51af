//! `cartwright play`: imports a sales history.

use std::io::BufReader;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use indicatif::ProgressBar;

use super::database::{start_engine, wait_for_rebuild, with_new_database};
use super::output::{bar_style, print};
use super::report_file::ReportFile;
use crate::accounts::convert_stored_domains;
use crate::database::{Database, Location};
use crate::play::{self, History, PlayOptions, PlayReport};
use crate::regular_file;
use crate::server::Engine;

/// Exit code of an import that left something out.
const INCOMPLETE: u8 = 3;

#[derive(Args)]
pub(super) struct PlayArgs {
    /// CSV file with the columns InvoiceNo (or Invoice), StockCode, Description, Quantity, InvoiceDate, UnitPrice (or
    /// Price), CustomerID (or Customer ID), Country
    file: PathBuf,
    /// Write every skipped row to this file, with its line number and reason
    #[arg(long)]
    skipped: Option<PathBuf>,
    /// Number of orders sent concurrently
    #[arg(long, default_value_t = 64)]
    concurrency: usize,
    /// Skip cancellations
    #[arg(long)]
    sales_only: bool,
    /// Exit with code 0 although rows were skipped or invoices refused; without it, the code is 3
    #[arg(long)]
    allow_skipped: bool,
}

pub(super) async fn play_file(args: &PlayArgs, location: &Location) -> anyhow::Result<ExitCode> {
    let file = regular_file::open(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
    let skipped = args.skipped.as_deref().map(|path| ReportFile::open(path, &args.file)).transpose()?;
    // A file that cannot be used creates no shop.
    let history = play::read(BufReader::new(file))?;
    let report = with_new_database(location, async |database| play_into(database, history, args).await).await?;
    if let Some(skipped) = skipped {
        skipped.write(|file| report.write_skipped(file))?;
    }
    print(&report.to_string());
    let is_success = report.is_complete() || args.allow_skipped;
    Ok(if is_success { ExitCode::SUCCESS } else { ExitCode::from(INCOMPLETE) })
}

/// The read tables that an import reads.
const TABLES_READ: [&str; 2] = ["orders", "order_lines"];

async fn play_into(database: &Database, history: History, args: &PlayArgs) -> anyhow::Result<PlayReport> {
    convert_stored_domains(&database.pool).await?;
    let engine = start_engine(database).await?;
    for table in TABLES_READ {
        wait_for_rebuild(database, table).await?;
    }
    let style = bar_style("{msg:12} {wide_bar} {pos}/{len} orders, {per_sec}, {eta} left")?;
    let bar = ProgressBar::new(0).with_style(style);
    let options = PlayOptions { concurrency: args.concurrency, sales_only: args.sales_only };
    let (journal, projector, pool) = (&engine.journal, &engine.projector, &database.pool);
    let played = play::play_history(journal, projector, pool, history, &bar, &options).await;
    bar.finish_and_clear();
    let position = engine.journal.position();
    if played.is_ok() {
        wait_for_read_tables(&engine, position).await?;
    }
    engine.stop().await?;
    Ok(played?)
}

/// Waits until the read tables reach `position`; fails if the projector stops.
async fn wait_for_read_tables(engine: &Engine, position: i64) -> anyhow::Result<()> {
    let bar = ProgressBar::new(position.unsigned_abs())
        .with_style(bar_style("{msg:12} {wide_bar} {pos}/{len} events")?)
        .with_message("read tables");
    while !engine.projector.wait_for(position, Duration::from_millis(200)).await {
        bar.set_position(engine.projector.position().unsigned_abs());
        let stopped = engine.projector.status().await?.into_iter().find_map(|projection| projection.last_error);
        if let Some(error) = stopped {
            bail!("the history is imported, but the projector has stopped: {error}");
        }
    }
    bar.finish_and_clear();
    Ok(())
}
