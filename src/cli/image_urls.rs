//! `cartwright products update-image-urls`: recomputes the addresses of all images.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use reqwest::Url;

use super::database::{start_engine, wait_for_rebuild, with_database};
use super::output::{print, print_error};
use crate::config::DatabaseConfig;
use crate::database::{Database, Location};
use crate::domain::picture::{MediaBase, MediaBaseError};
use crate::files::{ImageUrlsReport, MediaFiles, MediaStore, check_image_urls};
use crate::journal::{Actor, Context};
use crate::server::Engine;
use crate::shop::ChangeMediaBase;

#[derive(Args)]
pub struct UpdateImageUrlsArgs {
    /// What the addresses begin with from now on: a URL of a server that has the same files, or `/media` for the shop's own [default: as now]
    #[arg(long, value_parser = parse_base_url)]
    base_url: Option<MediaBase>,
}

/// Where a path is resolved, to check that it is in normal form.
const ANY_SERVER: &str = "http://shop.localhost";

/// A base in normal form, so that each image has one address: without `..`, empty names, and a default port.
fn parse_base_url(text: &str) -> Result<MediaBase, String> {
    let base: MediaBase = text.parse().map_err(|error: MediaBaseError| error.to_string())?;
    let server = if base.as_str().starts_with('/') { ANY_SERVER } else { "" };
    let url = Url::parse(&format!("{server}{}", base.as_str())).map_err(|error| format!("is not a URL: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not contain a user name or a password".to_owned());
    }
    let normal = url.as_str().strip_prefix(server).unwrap_or_default().trim_end_matches('/');
    if normal.is_empty() || url.path().contains("//") {
        return Err("must be a path of names, such as /media".to_owned());
    }
    if normal != base.as_str() {
        return Err(format!("is not in its normal form: write {normal}"));
    }
    Ok(base)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_in_normal_form() {
        for (text, base) in [
            ("https://cdn.example.com/media/", "https://cdn.example.com/media"),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
            ("/media", "/media"),
        ] {
            assert_eq!(parse_base_url(text).unwrap().as_str(), base);
        }
        for (text, expected) in [
            ("https://x/../y", "is not in its normal form: write https://x/y"),
            ("https://x/a/%2e%2e/y", "is not in its normal form: write https://x/y"),
            ("https://X:443/y", "is not in its normal form: write https://x/y"),
            ("/a/../media", "is not in its normal form: write /media"),
            ("/..", "must be a path of names"),
            ("https://x/a//b", "must be a path of names"),
            ("https://jo:secret@x/y", "must not contain a user name"),
            ("https://x:99999", "is not a URL: invalid port"),
            ("ftp://x", "must begin with http://"),
        ] {
            let error = parse_base_url(text).unwrap_err();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }
}
