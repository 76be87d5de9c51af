//! Clean-up: deletes old temporary files, and old files of the media store that nothing refers to.
//!
//! It works on the media store and the temporary folder alone, follows no symbolic link, and continues after an error.
//! What is deleted is decided for each file with its row locked, as for a removed image.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use sqlx::PgPool;
use tokio::sync::mpsc;

use super::holds::{Deletion, MediaError, MediaFiles};
use super::store::{picture_of, storage_path};
use super::temporary::is_temporary;
use crate::clock;
use crate::domain::counted::counted;
use crate::domain::picture::PictureName;

/// What a clean-up may delete.
#[derive(Clone, Debug)]
pub struct CleanupOptions {
    /// A younger file stays.
    pub max_age: Duration,
    /// Reports what would be deleted, and deletes nothing.
    pub dry_run: bool,
    /// The folder of temporary files; a folder that does not exist is empty.
    pub temporary_folder: Option<PathBuf>,
}

/// What a clean-up did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CleanupReport {
    /// Files that were deleted, or would be in a dry run.
    pub deleted: u64,
    /// Files that stay: in use, too young, symbolic links, or files of others.
    pub kept: u64,
    pub failed: u64,
    /// Size of the deleted files.
    pub bytes: u64,
    /// The first files and folders that could not be read or deleted.
    pub failures: Vec<FailedFile>,
    pub dry_run: bool,
}

/// A file or folder that could not be read or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedFile {
    pub path: String,
    pub reason: String,
}

/// A file that was found, by its path in the store.
struct FoundFile {
    path: String,
    bytes: u64,
    is_old: bool,
}

/// What a walk through a folder finds.
enum WalkStep {
    Files(Vec<FoundFile>),
    Link,
    Failed(FailedFile),
}

/// Failures that a report names.
const MAX_FAILURES: usize = 100;
/// Files that are looked up together.
const BATCH: usize = 1_000;

/// Deletes what is old and unreferenced. Fails if the database does, or if the store is another shop's or unavailable.
pub async fn clean_up(files: &MediaFiles, options: &CleanupOptions) -> Result<CleanupReport, MediaError> {
    if options.dry_run {
        files.check_store().await?;
    } else {
        files.claim_store().await?;
    }
    let is_own_folder = files.store.is_own_folder();
    let mut cleanup = Cleanup { files, is_own_folder, options, report: CleanupReport::default() };
    cleanup.report.dry_run = options.dry_run;
    cleanup.clean_store().await?;
    cleanup.forget_lost_files().await?;
    cleanup.clean_temporary_folder().await;
    Ok(cleanup.report)
}

struct Cleanup<'a> {
    files: &'a MediaFiles,
    /// Whether files of other names are the shop's too.
    is_own_folder: bool,
    options: &'a CleanupOptions,
    report: CleanupReport,
}

impl Cleanup<'_> {
    async fn clean_store(&mut self) -> Result<(), sqlx::Error> {
        if let Some(folder) = self.files.store.folder() {
            let mut steps = walk(folder.to_owned(), self.options.max_age);
            while let Some(step) = steps.recv().await {
                match step {
                    WalkStep::Files(found) => self.clean_batch(found).await?,
                    WalkStep::Link => self.report.kept += 1,
                    WalkStep::Failed(failed) => self.fail(failed),
                }
            }
            return Ok(());
        }
        let mut batches = self.files.store.list().chunks(BATCH);
        while let Some(batch) = batches.next().await {
            let mut found = Vec::with_capacity(batch.len());
            for object in batch {
                match object {
                    Ok(meta) => found.push(FoundFile {
                        path: meta.location.to_string(),
                        bytes: meta.size,
                        is_old: is_older(meta.last_modified, self.options.max_age),
                    }),
                    Err(error) => self.fail(FailedFile { path: "media store".to_owned(), reason: error.to_string() }),
                }
            }
            self.clean_batch(found).await?;
        }
        Ok(())
    }

    async fn clean_batch(&mut self, found: Vec<FoundFile>) -> Result<(), sqlx::Error> {
        let names: Vec<_> =
            found.iter().filter_map(|file| picture_of(&file.path)).map(|name| name.to_string()).collect();
        let used = files_in_use(self.files.pool(), &names).await?;
        for file in found {
            let picture = picture_of(&file.path);
            let in_use = picture.as_ref().is_some_and(|name| used.contains(&name.to_string()));
            if !file.is_old || in_use || !(is_ours(&file.path) || self.is_own_folder && !is_hidden(&file.path)) {
                self.report.kept += 1;
                continue;
            }
            self.delete(&file, picture.as_ref()).await;
        }
        Ok(())
    }

    async fn delete(&mut self, file: &FoundFile, picture: Option<&PictureName>) {
        if self.options.dry_run {
            self.count_deleted(file.bytes);
            return;
        }
        let deleted = match picture {
            // The file goes with its thumbnails, which the walk may have found before.
            Some(name) if storage_path(name) == file.path => {
                self.files.delete_unreferenced(name, self.options.max_age).await
            }
            Some(name) => self.delete_thumbnail(name, &file.path).await,
            None => self.delete_path(&file.path).await,
        };
        match deleted {
            Ok(Deletion::Deleted) => self.count_deleted(file.bytes),
            Ok(Deletion::Kept | Deletion::Held) => self.report.kept += 1,
            Err(error) => self.fail(FailedFile { path: file.path.clone(), reason: error.to_string() }),
        }
    }

    /// A thumbnail may be younger than the row of its picture; it is made again when it is wanted.
    async fn delete_thumbnail(&self, name: &PictureName, path: &str) -> Result<Deletion, MediaError> {
        if files_in_use(self.files.pool(), &[name.to_string()]).await?.is_empty() {
            self.files.store.delete(path).await?;
            return Ok(Deletion::Deleted);
        }
        Ok(Deletion::Kept)
    }

    /// The store knows no temporary files, so a local one is deleted from its folder.
    async fn delete_path(&self, path: &str) -> Result<Deletion, MediaError> {
        match self.files.store.local_path(path) {
            Some(local) => remove_file(local).await?,
            None => self.files.store.delete(path).await?,
        }
        Ok(Deletion::Deleted)
    }

    /// Deletes rows whose files are gone or were never stored.
    async fn forget_lost_files(&mut self) -> Result<(), sqlx::Error> {
        let lost = "select name from media_file as file
             where touched_at <= clock_timestamp() - $1 and name > $2
                 and not exists (select from media_reference as reference where reference.name = file.name)
             order by name
             limit $3";
        let mut after = String::new();
        loop {
            let names: Vec<String> = sqlx::query_scalar(lost)
                .bind(self.options.max_age)
                .bind(&after)
                .bind(BATCH as i64)
                .fetch_all(self.files.pool())
                .await?;
            let Some(last) = names.last().cloned() else { return Ok(()) };
            for name in names.iter().filter_map(|name| name.parse::<PictureName>().ok()) {
                if self.options.dry_run {
                    continue;
                }
                if let Err(error) = self.files.delete_unreferenced(&name, self.options.max_age).await {
                    self.fail(FailedFile { path: storage_path(&name), reason: error.to_string() });
                }
            }
            after = last;
        }
    }

    async fn clean_temporary_folder(&mut self) {
        let Some(folder) = self.options.temporary_folder.clone() else { return };
        let mut steps = walk(folder.clone(), self.options.max_age);
        while let Some(step) = steps.recv().await {
            match step {
                WalkStep::Link => self.report.kept += 1,
                WalkStep::Failed(failed) => self.fail(failed),
                WalkStep::Files(found) => {
                    for file in found {
                        if !file.is_old {
                            self.report.kept += 1;
                        } else if self.options.dry_run {
                            self.count_deleted(file.bytes);
                        } else {
                            match remove_file(folder.join(&file.path)).await {
                                Ok(()) => self.count_deleted(file.bytes),
                                Err(error) => {
                                    let path = folder.join(&file.path).display().to_string();
                                    self.fail(FailedFile { path, reason: error.to_string() });
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn count_deleted(&mut self, bytes: u64) {
        self.report.deleted += 1;
        self.report.bytes += bytes;
    }

    fn fail(&mut self, failed: FailedFile) {
        tracing::warn!(path = failed.path, reason = failed.reason, "cannot clean up");
        self.report.failed += 1;
        if self.report.failures.len() < MAX_FAILURES {
            self.report.failures.push(failed);
        }
    }
}

fn is_hidden(path: &str) -> bool {
    path.split('/').any(|part| part.starts_with('.'))
}

/// Whether the shop wrote a file of the store: a picture, a thumbnail, a probe, or the temporary file of one. In a folder
/// that the shop did not create, the clean-up keeps every other file: the setting may name a folder of others.
fn is_ours(path: &str) -> bool {
    if path.starts_with("probes/") {
        return true;
    }
    match path.rsplit_once('#') {
        Some((written, _)) if is_temporary(path) => picture_of(written).is_some(),
        _ => picture_of(path).is_some(),
    }
}

/// Those of the files that an image refers to or an upload holds.
async fn files_in_use(pool: &PgPool, names: &[String]) -> Result<HashSet<String>, sqlx::Error> {
    let used: Vec<String> = sqlx::query_scalar(
        "select name from media_reference where name = any($1)
         union
         select name from media_hold where name = any($1) and held_until > clock_timestamp()",
    )
    .bind(names)
    .fetch_all(pool)
    .await?;
    Ok(used.into_iter().collect())
}

/// Whether a file was changed longer ago than `max_age`, by the clock of this node.
fn is_older(modified: DateTime<Utc>, max_age: Duration) -> bool {
    (clock::node_time() - modified).to_std().is_ok_and(|age| age > max_age)
}

async fn remove_file(path: PathBuf) -> std::io::Result<()> {
    tokio::task::spawn_blocking(move || std::fs::remove_file(path)).await?
}

/// Finds the files of a folder and its folders, on a thread for blocking work.
fn walk(folder: PathBuf, max_age: Duration) -> mpsc::Receiver<WalkStep> {
    let (sender, receiver) = mpsc::channel(2);
    tokio::task::spawn_blocking(move || {
        let mut batch = Vec::new();
        // An error means that the receiver is gone.
        let _ = walk_into(&folder, &folder, max_age, &sender, &mut batch)
            .and_then(|()| sender.blocking_send(WalkStep::Files(batch)).map_err(drop));
    });
    receiver
}

fn walk_into(
    root: &Path,
    folder: &Path,
    max_age: Duration,
    sender: &mpsc::Sender<WalkStep>,
    batch: &mut Vec<FoundFile>,
) -> Result<(), ()> {
    let failed = |path: &Path, error: &std::io::Error| {
        let failed = FailedFile { path: path.display().to_string(), reason: error.to_string() };
        sender.blocking_send(WalkStep::Failed(failed)).map_err(drop)
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return failed(folder, &error),
    };
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                failed(folder, &error)?;
                continue;
            }
        };
        let path = entry.path();
        // Of the entry itself, not of what a link points to.
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => {
                failed(&path, &error)?;
                continue;
            }
        };
        if metadata.is_dir() {
            walk_into(root, &path, max_age, sender, batch)?;
            continue;
        }
        // A name that is not UTF-8 is not of this shop.
        let relative = path.strip_prefix(root).ok().and_then(Path::to_str);
        let (true, Some(relative)) = (metadata.is_file(), relative) else {
            sender.blocking_send(WalkStep::Link).map_err(drop)?;
            continue;
        };
        let is_old = metadata.modified().is_ok_and(|modified| is_older(modified.into(), max_age));
        batch.push(FoundFile { path: relative.to_owned(), bytes: metadata.len(), is_old });
        if batch.len() >= BATCH {
            sender.blocking_send(WalkStep::Files(std::mem::take(batch))).map_err(drop)?;
        }
    }
    Ok(())
}

impl fmt::Display for CleanupReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { deleted, kept, failed, bytes, dry_run, .. } = self;
        let verb = if *dry_run { "to delete" } else { "deleted" };
        write!(formatter, "{verb} {deleted}, kept {kept}, failed {failed}, {}", counted(*bytes, "byte", "bytes"))
    }
}
