//! `cartwright products`: the operators' commands for the catalogue.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use indicatif::ProgressBar;

use super::database::{start_engine, wait_for_rebuild, with_database, with_new_database};
use super::image_urls::{UpdateImageUrlsArgs, update_image_urls};
use super::output::{bar_style, print, print_error};
use super::product_import::{ImportArgs, import_file};
use crate::catalogue::{
    self, CatalogueShop, CheckReport, ComparisonReport, DeployOptions, DeployReport, DumpName, DumpOptions, DumpReport,
    NOT_HELD, Problem,
};
use crate::config::DatabaseConfig;
use crate::database::{Database, Location};
use crate::domain::counted::counted;
use crate::files::{MediaFiles, MediaStore};

#[derive(Subcommand)]
pub(super) enum ProductsCommand {
    /// Write all products, phones and images to a new file, as they are at one position of the log
    Dump(DumpArgs),
    /// List every problem of a dump, or compare a dump with the shop; exit code 1 if there is a problem or difference
    Check(CheckArgs),
    /// Check a dump and apply it to the shop: missing products are created, others changed, none deleted
    Deploy(DeployArgs),
    /// Create and change products from a CSV file; exit code 3 if a row was left out
    Import(ImportArgs),
    /// Recompute the addresses of all images, and name images without a file; exit code 1 if there are any
    UpdateImageUrls(UpdateImageUrlsArgs),
}

#[derive(Args)]
pub(super) struct DumpArgs {
    /// Add all categories, so that the dump fills an empty shop
    #[arg(long)]
    with_categories: bool,
    /// Keep so many dumps, and delete older ones
    #[arg(long, value_name = "N")]
    keep: Option<NonZeroUsize>,
}

#[derive(Args)]
pub(super) struct CheckArgs {
    /// Dump to check [default: the newest of the folder of dumps]
    file: Option<PathBuf>,
    /// Dump to compare with the shop: prints each line that the shop does not hold as it is
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    against: Option<PathBuf>,
}

#[derive(Args)]
pub(super) struct DeployArgs {
    /// Dump to deploy [default: the newest of the folder of dumps]
    file: Option<PathBuf>,
    /// Deploy into a shop that has products, without a backup
    #[arg(long)]
    force: bool,
    /// Dump the shop to the folder of backups first, and stop if that fails
    #[arg(long)]
    backup: bool,
    /// Show what would be created, changed and unchanged, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Keep so many backups, and delete older ones
    #[arg(long, value_name = "N", requires = "backup")]
    keep: Option<NonZeroUsize>,
}

/// The read tables that a dump reads.
const TABLES_READ: [&str; 5] = ["products", "product_details", "product_images", "categories", "settings"];

pub(super) async fn run_products_command(
    command: &ProductsCommand,
    location: &Location,
    config: &DatabaseConfig,
) -> anyhow::Result<ExitCode> {
    let media = MediaStore::open(&config.media())?;
    match command {
        ProductsCommand::Import(args) => import_file(args, location).await,
        ProductsCommand::UpdateImageUrls(args) => update_image_urls(args, location, config).await,
        ProductsCommand::Dump(args) => {
            let options = DumpOptions {
                folder: config.dumps_dir.clone(),
                name: DumpName::Dump,
                with_categories: args.with_categories,
                keep: args.keep,
                in_use: None,
            };
            with_database(location, async |database| dump(database, media, &options).await).await
        }
        ProductsCommand::Check(CheckArgs { against: Some(file), .. }) => {
            with_database(location, async |database| compare(database, media, file).await).await
        }
        ProductsCommand::Check(args) => {
            let file = file_or_newest(args.file.as_deref(), config)?;
            with_database(location, async |database| check(database, media, &file).await).await
        }
        ProductsCommand::Deploy(args) => {
            let file = file_or_newest(args.file.as_deref(), config)?;
            let options = DeployOptions {
                force: args.force,
                backup: args.backup.then(|| config.backups_dir.clone()),
                keep: args.keep,
                dry_run: args.dry_run,
            };
            // A dump fills a shop that does not exist yet, if nothing is wrong with it.
            if !Database::exists(location).await?
                && let Some(end) = plan_new_shop(&media, &file, &options, location).await?
            {
                return Ok(end);
            }
            with_new_database(location, async |database| deploy(database, media, &file, &options).await).await
        }
    }
}

fn file_or_newest(file: Option<&Path>, config: &DatabaseConfig) -> anyhow::Result<PathBuf> {
    match file {
        Some(file) => Ok(file.to_owned()),
        None => catalogue::newest_dump(&config.dumps_dir),
    }
}

/// Runs `action` on a journal and a projector of its own, beside those of a running shop.
async fn with_shop<T>(
    database: &Database,
    media: MediaStore,
    action: impl AsyncFnOnce(CatalogueShop<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let engine = start_engine(database).await?;
    for table in TABLES_READ {
        wait_for_rebuild(database, table).await?;
    }
    let (connect, pool) = (&database.connect, &database.pool);
    let media = &MediaFiles::new(media, pool.clone());
    let shop = CatalogueShop { journal: &engine.journal, projector: &engine.projector, connect, pool, media };
    let outcome = action(shop).await;
    engine.stop().await?;
    outcome
}

async fn dump(database: &Database, media: MediaStore, options: &DumpOptions) -> anyhow::Result<ExitCode> {
    let bar = ProgressBar::new_spinner().with_style(bar_style("{msg:12} {pos} written, {per_sec}")?);
    bar.set_message("dump");
    let progress = |written| bar.set_position(written);
    let report = with_shop(database, media, async |shop| {
        catalogue::dump(shop.journal, shop.projector, shop.pool, options, &progress).await
    })
    .await?;
    bar.finish_and_clear();
    let DumpReport { path, position, elements, deleted } = report;
    let elements: Vec<_> = elements.iter().map(|(section, count)| section.counted(*count)).collect();
    print(&format!("{}: {} at position {position}", path.display(), elements.join(", ")));
    print_deleted(&deleted);
    print(NOT_HELD);
    Ok(ExitCode::SUCCESS)
}

async fn check(database: &Database, media: MediaStore, file: &Path) -> anyhow::Result<ExitCode> {
    let bar = row_bar("check")?;
    let progress = |done, of| show(&bar, done, of);
    let report = with_shop(database, media, async |shop| catalogue::check(&shop, file, &progress).await).await?;
    bar.finish_and_clear();
    Ok(print_check(&report))
}

async fn compare(database: &Database, media: MediaStore, file: &Path) -> anyhow::Result<ExitCode> {
    let bar = row_bar("compare")?;
    let progress = |done, of| show(&bar, done, of);
    let report = with_shop(database, media, async |shop| catalogue::compare(&shop, file, &progress).await).await?;
    bar.finish_and_clear();
    let ComparisonReport { check, counts, differences } = &report;
    if !check.problems.is_empty() {
        return Ok(print_check(check));
    }
    print_problems(differences);
    print(&counts.to_string());
    if report.is_equal() {
        print(&format!("the shop holds what {} says", file.display()));
        return Ok(ExitCode::SUCCESS);
    }
    let lines = counted(differences.len(), "line", "lines");
    print_error(&format!("the shop differs from {} in {lines}", file.display()));
    Ok(ExitCode::FAILURE)
}

/// Plans a deployment that creates the shop; prints why it does not, and whether it does.
async fn plan_new_shop(
    media: &MediaStore,
    file: &Path,
    options: &DeployOptions,
    location: &Location,
) -> anyhow::Result<Option<ExitCode>> {
    if options.backup.is_some() {
        bail!(
            "there is no shop yet ({}), and nothing to back up; without --backup one is created",
            location.describe()
        );
    }
    let bar = row_bar("check")?;
    let report = catalogue::plan_new_shop(media, file, &|done, of| show(&bar, done, of)).await?;
    bar.finish_and_clear();
    let DeployReport { check, counts, .. } = &report;
    if !check.problems.is_empty() {
        return Ok(Some(print_check(check)));
    }
    if options.dry_run {
        print(&counts.to_string());
        print(&format!("dry run: nothing was changed; the deployment creates a shop ({})", location.describe()));
        print(NOT_HELD);
        return Ok(Some(ExitCode::SUCCESS));
    }
    print(&format!("creates a shop ({})", location.describe()));
    Ok(None)
}

async fn deploy(
    database: &Database,
    media: MediaStore,
    file: &Path,
    options: &DeployOptions,
) -> anyhow::Result<ExitCode> {
    let bar = row_bar("deploy")?;
    let progress = |done, of| show(&bar, done, of);
    let report =
        with_shop(database, media, async |shop| catalogue::deploy(&shop, file, options, &progress).await).await?;
    bar.finish_and_clear();
    let DeployReport { check, counts, resumed_after, backup, deleted, position } = &report;
    if !check.problems.is_empty() {
        return Ok(print_check(check));
    }
    if let Some(backup) = backup {
        print(&format!("backup: {}", backup.display()));
    }
    print_deleted(deleted);
    if *resumed_after > 0 {
        print(&format!("continued after {}", counted(*resumed_after, "row", "rows")));
    }
    print(&counts.to_string());
    match options.dry_run {
        true => print("dry run: nothing was changed"),
        false => print(&format!("{} is deployed; the log ends at position {position}", file.display())),
    }
    print(NOT_HELD);
    Ok(ExitCode::SUCCESS)
}

fn print_check(report: &CheckReport) -> ExitCode {
    let CheckReport { file, elements, problems } = report;
    print_problems(problems);
    let elements: Vec<_> = elements.iter().map(|(section, count)| section.counted(*count)).collect();
    let elements = if elements.is_empty() { "nothing".to_owned() } else { elements.join(", ") };
    if problems.is_empty() {
        print(&format!("{}: {elements}, no problems", file.display()));
        return ExitCode::SUCCESS;
    }
    let problems = counted(problems.len(), "problem", "problems");
    print_error(&format!("{}: {elements}, {problems}; nothing was changed", file.display()));
    ExitCode::FAILURE
}

fn print_problems(problems: &[Problem]) {
    for problem in problems {
        print_error(&problem.to_string());
    }
}

fn print_deleted(deleted: &[PathBuf]) {
    for path in deleted {
        print(&format!("deleted {}", path.display()));
    }
}

fn row_bar(message: &'static str) -> anyhow::Result<ProgressBar> {
    let style = bar_style("{msg:12} {wide_bar} {pos}/{len} rows, {per_sec}, {eta} left").context("progress bar")?;
    Ok(ProgressBar::new(0).with_style(style).with_message(message))
}

fn show(bar: &ProgressBar, done: u64, of: u64) {
    bar.set_length(of);
    bar.set_position(done);
}
