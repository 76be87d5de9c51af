//! `cartwright products import`: products from a CSV file.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indicatif::ProgressBar;

use super::database::{start_engine, with_database};
use super::output::{bar_style, print};
use super::report_file::ReportFile;
use crate::catalogue::{ColumnOptions, ImportOptions, ImportReport, import_products};
use crate::database::{Database, Location};

/// Exit code of an import that left rows out.
const INCOMPLETE: u8 = 3;

#[derive(Args)]
pub(super) struct ImportArgs {
    /// CSV file in UTF-8 with a header line; columns are recognised by the names of the fields
    file: PathBuf,
    /// Column of a field, such as `price=Preis`; may be repeated
    #[arg(long = "map", value_name = "FIELD=COLUMN", value_parser = parse_mapping)]
    mapping: Vec<(String, String)>,
    /// Leave out columns that are no field of a product
    #[arg(long)]
    ignore_others: bool,
    /// Create the categories that rows name and the shop does not have
    #[arg(long)]
    create_categories: bool,
    /// Show what each column is and what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Create a product for each row without product_id and sku, although such a row was imported before
    #[arg(long)]
    again: bool,
    /// Write every row that was left out to this file, with its line number and reason
    #[arg(long)]
    skipped: Option<PathBuf>,
    /// Exit with code 0 although rows were left out; without it, the code is 3
    #[arg(long)]
    allow_skipped: bool,
}

fn parse_mapping(text: &str) -> Result<(String, String), String> {
    let (field, column) = text.split_once('=').ok_or("must be FIELD=COLUMN, such as price=Preis")?;
    Ok((field.trim().to_owned(), column.trim().to_owned()))
}

pub(super) async fn import_file(args: &ImportArgs, location: &Location) -> anyhow::Result<ExitCode> {
    let skipped = args.skipped.as_deref().map(|path| ReportFile::open(path, &args.file)).transpose()?;
    let report = with_database(location, async |database| import_into(database, args).await).await?;
    if let Some(skipped) = skipped {
        skipped.write(|file| Ok(report.write_skipped(file)?))?;
    }
    print(&report.to_string());
    let is_success = report.is_complete() || args.allow_skipped;
    Ok(if is_success { ExitCode::SUCCESS } else { ExitCode::from(INCOMPLETE) })
}

async fn import_into(database: &Database, args: &ImportArgs) -> anyhow::Result<ImportReport> {
    let engine = start_engine(database).await?;
    let style = bar_style("{msg:12} {wide_bar} {pos}/{len} rows, {per_sec}, {eta} left")?;
    let bar = ProgressBar::new(0).with_style(style).with_message("import");
    let options = ImportOptions {
        columns: ColumnOptions { mapping: args.mapping.clone(), ignore_others: args.ignore_others },
        create_categories: args.create_categories,
        dry_run: args.dry_run,
        again: args.again,
    };
    let imported =
        import_products(&engine.journal, &database.connect, &database.pool, &args.file, &options, &bar).await;
    bar.finish_and_clear();
    engine.stop().await?;
    Ok(imported?)
}
