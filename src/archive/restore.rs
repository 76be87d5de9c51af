//! Reads an archive file back into `events_archive`, all or nothing.
//!
//! It serves a database that was restored from a dump without the archived events. An event that is there already must be
//! the same.

use std::fmt;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, bail, ensure};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use uuid::Uuid;
use zstd::stream::read::Decoder;

use super::file::{FORMAT, Manifest, manifest_path};
use crate::database::begin_transaction;
use crate::domain::counted::counted;
use crate::journal::archive as journal;
use crate::regular_file;

/// What a restore has done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RestoreReport {
    pub events: u64,
    pub restored: u64,
    /// Events that the log had already.
    pub present: u64,
}

/// Events that are sent to the database at once.
const ROWS: usize = 1_000;
/// The longest line that is read, several times the size of the largest event.
const LINE_MAX: u64 = 64 * 1024 * 1024;

/// Adds the missing events of a file to the archive.
pub async fn restore(pool: &PgPool, path: &Path) -> anyhow::Result<RestoreReport> {
    let manifest = read_manifest(path)?;
    let log_id: Uuid = sqlx::query_scalar("select log_id from log_identity").fetch_one(pool).await?;
    ensure!(manifest.log_id == log_id, "the file is of the log {}, and this shop's is {log_id}", manifest.log_id);
    check_content(path, &manifest)?;
    let mut transaction = begin_transaction(pool, "begin").await?;
    let mut report = RestoreReport::default();
    let mut lines = open_lines(path)?;
    loop {
        let rows = read_rows(&mut lines, report.events, path)?;
        if rows.is_empty() {
            break;
        }
        report.events += rows.len() as u64;
        match journal::restore_events(&mut transaction, rows).await? {
            Ok(restored) => report.restored += restored.unsigned_abs(),
            Err(difference) => bail!("{difference}; nothing was restored"),
        }
    }
    ensure!(
        report.events == manifest.events,
        "{} has {}, not {}",
        path.display(),
        counted(report.events, "event", "events"),
        manifest.events
    );
    if let Some(stream) = journal::finish_restore(&mut transaction).await? {
        bail!("earlier events of {stream} are missing; restore the older archive files first; nothing was restored");
    }
    transaction.commit().await?;
    report.present = report.events - report.restored;
    Ok(report)
}

fn read_manifest(path: &Path) -> anyhow::Result<Manifest> {
    let beside = manifest_path(path);
    let text = regular_file::open(&beside).and_then(io::read_to_string);
    let text = text.with_context(|| format!("cannot read the manifest {}", beside.display()))?;
    let manifest: Option<Manifest> = serde_json::from_str(&text).ok();
    let manifest = manifest.with_context(|| format!("{} is not a manifest", beside.display()))?;
    ensure!(manifest.format == FORMAT, "{} has the unknown format {}", beside.display(), manifest.format);
    Ok(manifest)
}

/// Compares size and checksum of the whole file before anything is stored.
fn check_content(path: &Path, manifest: &Manifest) -> anyhow::Result<()> {
    let context = || format!("cannot read {}", path.display());
    let mut file = regular_file::open(path).with_context(context)?;
    let mut digest = Sha256::new();
    let bytes = io::copy(&mut file, &mut digest).with_context(context)?;
    let same = bytes == manifest.bytes && hex::encode(digest.finalize()) == manifest.sha256;
    ensure!(same, "{} is not the file of its manifest: size or checksum differ", path.display());
    Ok(())
}

fn open_lines(path: &Path) -> anyhow::Result<impl BufRead + use<>> {
    let context = || format!("cannot read {}", path.display());
    let file = regular_file::open(path).with_context(context)?;
    Ok(BufReader::new(Decoder::new(file).with_context(context)?))
}

fn read_rows(lines: &mut impl BufRead, read: u64, path: &Path) -> anyhow::Result<Vec<Value>> {
    let mut rows = Vec::new();
    let mut line = String::new();
    while rows.len() < ROWS {
        line.clear();
        let number = read + rows.len() as u64 + 1;
        let length = io::Read::take(&mut *lines, LINE_MAX).read_line(&mut line);
        if length.with_context(|| format!("cannot read {}, line {number}", path.display()))? == 0 {
            break;
        }
        rows.push(serde_json::from_str(&line).with_context(|| format!("{}, line {number}", path.display()))?);
    }
    Ok(rows)
}

impl fmt::Display for RestoreReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, restored, present } = self;
        let events = counted(*events, "event", "events");
        let present = counted(*present, "was", "were");
        write!(formatter, "{events} in the file: restored {restored}, {present} there already")
    }
}
