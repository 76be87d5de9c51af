//! The operators' work on the catalogue: dump, check and deploy of its products, and files that are applied in slices.
//!
//! Everything here changes the shop through the use cases of `shop`, with the rules of a client's command. Each command is
//! a function that returns a report, so that the command line, the scheduler and pages can share it.

use std::time::Duration;

use anyhow::bail;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

use crate::files::{MediaFiles, MediaStore};
use crate::journal::Journal;
use crate::projector::Projector;

mod apply;
mod deploy;
mod dump;
mod fields;
mod file;
mod folder;
mod format;
mod import;
mod pace;
mod pictures;
mod plan;
mod reading;
mod rows;
mod scan;
mod slices;

pub use deploy::{CheckReport, ComparisonReport, DeployOptions, DeployReport, check, compare, deploy, plan_new_shop};
pub use dump::{DumpOptions, DumpReport, dump};
pub use folder::{DumpName, newest_dump};
pub use format::{NOT_HELD, Problem, Section};
pub use import::{
    ColumnError, ColumnOptions, ImportError, ImportOptions, ImportReport, ProductColumns, RefusedLine, import_products,
};
pub use slices::{Application, ApplyError, FileRow, MAX_SLICE_ROWS, OnRefusal, SlicedFile};

/// The parts of a shop that these commands work with.
#[derive(Clone, Copy)]
pub struct CatalogueShop<'a> {
    pub journal: &'a Journal,
    pub projector: &'a Projector,
    pub connect: &'a PgConnectOptions,
    pub pool: &'a PgPool,
    /// The files of images.
    pub media: &'a MediaFiles,
}

/// What a file is planned on: a shop as it is, or the one that it would create.
#[derive(Clone, Copy)]
enum Target<'a> {
    Shop(&'a CatalogueShop<'a>),
    /// With the files of its images.
    NewShop(&'a MediaStore),
}

/// Interval of checks whether the projector has stopped.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Waits until the read tables reach `position`; fails if the projector stops.
async fn wait_for_read_tables(projector: &Projector, position: i64) -> anyhow::Result<()> {
    while !projector.wait_for(position, POLL_INTERVAL).await {
        if let Some(error) = projector.status().await?.into_iter().find_map(|projection| projection.last_error) {
            bail!("the projector has stopped: {error}");
        }
    }
    Ok(())
}
