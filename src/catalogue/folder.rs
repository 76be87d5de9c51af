//! Folders of dumps: names that tell the time, files that appear whole, and the oldest deleted.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write};
use std::num::NonZeroUsize;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::failpoints::failpoint;

/// What a file of a folder is for: the first part of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DumpName {
    /// `products_dump_YYYYMMDD_HHMMSS.json`
    Dump,
    /// `heroku_backup_YYYYMMDD_HHMMSS.json`
    Backup,
}

/// The form of the time in a name.
const TIME: &str = "%Y%m%d_%H%M%S";
/// Names that are tried, a second apart, if other dumps are written at the same time.
const NAMES: usize = 5;
/// First part of temporary names.
const TEMPORARY: &str = ".cartwright-dump-";
/// Age at which a temporary file belongs to no running process.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

impl DumpName {
    /// The scheduled task that writes such files.
    pub fn task(self) -> &'static str {
        match self {
            Self::Dump => "dump",
            Self::Backup => "backup",
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Dump => "products_dump_",
            Self::Backup => "heroku_backup_",
        }
    }

    fn at(self, time: DateTime<Utc>) -> String {
        format!("{}{}.json", self.prefix(), time.format(TIME))
    }

    /// The time in a name of this form.
    fn time_of(self, name: &OsStr) -> Option<NaiveDateTime> {
        let time = name.to_str()?.strip_prefix(self.prefix())?.strip_suffix(".json")?;
        NaiveDateTime::parse_from_str(time, TIME).ok().filter(|parsed| parsed.format(TIME).to_string() == time)
    }
}

/// The files of a folder with names of this form, the newest first. A folder that does not exist has none.
pub(super) fn files(folder: &Path, name: DumpName) -> std::io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(vec![]),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let Some(time) = name.time_of(&entry.file_name())
            && entry.file_type()?.is_file()
        {
            found.push((time, entry.path()));
        }
    }
    found.sort_by(|one, other| other.cmp(one));
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// The newest dump of a folder, by the time in its name.
pub fn newest_dump(folder: &Path) -> anyhow::Result<PathBuf> {
    let found = files(folder, DumpName::Dump).with_context(|| format!("cannot read {}", folder.display()))?;
    match found.into_iter().next() {
        Some(path) => Ok(path),
        None => bail!("there is no products_dump_….json in {}; name a file", folder.display()),
    }
}

/// Deletes all files of a folder with names of this form but the newest `keep` and `in_use`, and returns them.
pub(super) fn keep_newest(
    folder: &Path,
    name: DumpName,
    keep: NonZeroUsize,
    in_use: Option<&Path>,
) -> anyhow::Result<Vec<PathBuf>> {
    let in_use = in_use.and_then(|path| path.canonicalize().ok());
    let is_in_use = |path: &PathBuf| in_use.is_some() && path.canonicalize().ok() == in_use;
    let mut deleted = Vec::new();
    for path in files(folder, name)?.into_iter().skip(keep.get()).filter(|path| !is_in_use(path)) {
        match fs::remove_file(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            removed => {
                removed.with_context(|| format!("cannot delete {}", path.display()))?;
                deleted.push(path);
            }
        }
    }
    Ok(deleted)
}

/// Deletes what killed processes left, as far as it can.
fn delete_abandoned(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_temporary = entry.file_name().to_str().is_some_and(|name| name.starts_with(TEMPORARY));
        let age = entry.metadata().and_then(|metadata| metadata.modified()).ok().and_then(|time| time.elapsed().ok());
        if is_temporary && age.is_some_and(|age| age > ABANDONED) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A file that is being written under a temporary name; dropping it deletes it.
pub(super) struct NewFile {
    folder: PathBuf,
    temporary: PathBuf,
    writer: BufWriter<File>,
}

impl NewFile {
    /// Creates the folder, if there is none, and a temporary file in it, for its owner only.
    pub fn create(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        delete_abandoned(folder);
        let temporary = folder.join(format!("{TEMPORARY}{}", Uuid::now_v7()));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary);
        let file = file.with_context(|| format!("cannot write to {}", folder.display()))?;
        Ok(Self { folder: folder.to_owned(), temporary, writer: BufWriter::with_capacity(256 * 1024, file) })
    }

    pub fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.writer.write_all(bytes).with_context(|| format!("cannot write to {}", self.folder.display()))
    }

    /// Gives the file its name, once it is on the disk. An existing file is never replaced: the name of a later second is
    /// taken instead.
    pub async fn publish(mut self, name: DumpName, time: DateTime<Utc>) -> anyhow::Result<PathBuf> {
        let failed = || format!("cannot write to {}", self.folder.display());
        self.writer.flush().and_then(|()| self.writer.get_ref().sync_all()).with_context(failed)?;
        failpoint!("dump-written");
        for (_, second) in (0..NAMES).zip(0..) {
            let path = self.folder.join(name.at(time + TimeDelta::seconds(second)));
            match fs::hard_link(&self.temporary, &path) {
                Ok(()) => {
                    File::open(&self.folder).and_then(|folder| folder.sync_all()).with_context(failed)?;
                    return Ok(path);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Err(error) => return Err(error).with_context(|| format!("cannot create {}", path.display())),
            }
        }
        bail!("{} and later names are taken", self.folder.join(name.at(time)).display())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.temporary);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_file_is_found_by_the_time_in_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| fs::write(folder.path().join(name), "").unwrap();
        assert!(
            newest_dump(&folder.path().join("none")).unwrap_err().to_string().contains("there is no products_dump_")
        );
        for name in [
            "products_dump_20260102_000000.json",
            "products_dump_20251231_235959.json",
            "products_dump_20260101_000000.json",
            "products_dump_20270101_000000.json.tmp",
            "products_dump_20271301_000000.json",
            "products_dump_2026.json",
            "heroku_backup_20280101_000000.json",
        ] {
            write(name);
        }
        fs::create_dir(folder.path().join("products_dump_20290101_000000.json")).unwrap();
        let newest = newest_dump(folder.path()).unwrap();
        assert_eq!(newest.file_name().unwrap(), "products_dump_20260102_000000.json");
        let deleted = keep_newest(folder.path(), DumpName::Dump, NonZeroUsize::new(2).unwrap(), None).unwrap();
        assert_eq!(deleted, [folder.path().join("products_dump_20251231_235959.json")]);
        assert_eq!(files(folder.path(), DumpName::Dump).unwrap().len(), 2);
        assert_eq!(files(folder.path(), DumpName::Backup).unwrap().len(), 1);
    }
}
