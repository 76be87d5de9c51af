//! `cartwright products`: the operators' commands for the catalogue.

use std::process::ExitCode;

use clap::Subcommand;

use super::image_urls::{UpdateImageUrlsArgs, update_image_urls};
use crate::config::DatabaseConfig;
use crate::database::Location;

#[derive(Subcommand)]
pub(super) enum ProductsCommand {
    /// Recompute the addresses of all images, and name images without a file; exit code 1 if there are any
    UpdateImageUrls(UpdateImageUrlsArgs),
}

pub(super) async fn run_products_command(
    command: &ProductsCommand,
    location: &Location,
    config: &DatabaseConfig,
) -> anyhow::Result<ExitCode> {
    match command {
        ProductsCommand::UpdateImageUrls(args) => update_image_urls(args, location, config).await,
    }
}
