//! `cartwright products update-image-urls`: recomputes the addresses of all images.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::Args;

use super::database::{start_engine, wait_for_rebuild, with_database};
use super::output::{print, print_error};
use crate::config::DatabaseConfig;
use crate::database::{Database, Location};
use crate::domain::picture::MediaBase;
use crate::files::{ImageUrlsReport, MediaFiles, MediaStore, check_image_urls};
use crate::journal::{Actor, Context};
use crate::server::Engine;
use crate::shop::ChangeMediaBase;

#[derive(Args)]
pub struct UpdateImageUrlsArgs {
    /// What the addresses begin with from now on: a URL of a server that has the same files, or `/media` for the shop's own [default: as now]
    #[arg(long)]
    base_url: Option<MediaBase>,
}

/// How long the command waits for the read tables.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(60);

pub(super) async fn update_image_urls(
    args: &UpdateImageUrlsArgs,
    location: &Location,
    config: &DatabaseConfig,
) -> anyhow::Result<ExitCode> {
    let store = MediaStore::open(&config.media())?;
    let report = with_database(location, async |database| {
        let engine = start_engine(database).await?;
        let report = update(args, database, &engine, store).await;
        engine.stop().await?;
        report
    })
    .await?;
    for missing in &report.missing_files {
        let image = format!("product {}, image {}", missing.product_id, missing.image_id);
        print_error(&format!("{image}: {}: {}", missing.path, missing.reason));
    }
    print(&report.to_string());
    Ok(if report.missing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn update(
    args: &UpdateImageUrlsArgs,
    database: &Database,
    engine: &Engine,
    store: MediaStore,
) -> anyhow::Result<ImageUrlsReport> {
    let actor = Actor { id: "cli".to_owned(), role: "system" };
    let changed = match &args.base_url {
        Some(base) => {
            // The shop's own addresses are those without a setting.
            let base = Some(base.clone()).filter(|base| base.as_str() != "/media");
            engine.journal.run(ChangeMediaBase { base }, Context::of(actor)).await?.answer
        }
        None => false,
    };
    for table in ["products", "product_images"] {
        wait_for_rebuild(database, table).await?;
    }
    if !engine.projector.wait_for(engine.journal.position(), CATCH_UP_TIMEOUT).await {
        bail!("the read tables do not catch up; `cartwright status` shows why");
    }
    Ok(check_image_urls(&MediaFiles::new(store, database.pool.clone()), changed).await?)
}
