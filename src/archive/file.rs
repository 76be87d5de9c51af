//! Archive files: events as JSON Lines, compressed with Zstandard, and a manifest beside them.
//!
//! The file is written under another name and renamed when it is complete and on the disk. The manifest comes last, so a
//! file with a manifest is complete.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::types::Json;
use uuid::Uuid;
use zstd::stream::write::Encoder;

/// What an archive file holds. Stored beside it as `<file>.manifest.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the format, 1.
    pub format: u32,
    pub log_id: Uuid,
    /// The last event of each stream was recorded before.
    pub recorded_before: DateTime<Utc>,
    pub events: u64,
    /// Lowest and highest position of the events.
    pub first_position: Option<i64>,
    pub last_position: Option<i64>,
    /// Size of the file, and its SHA-256 in hexadecimal digits.
    pub bytes: u64,
    pub sha256: String,
}

/// Writes an archive file.
pub(super) struct ArchiveWriter {
    path: PathBuf,
    partial: PartialFile,
    encoder: Encoder<'static, HashingFile>,
    log_id: Uuid,
    events: u64,
    positions: Option<(i64, i64)>,
}

/// Name of a file that is being written. Removed when it is dropped, unless it was renamed.
struct PartialFile(PathBuf);

/// A file that counts and hashes what is written to it.
struct HashingFile {
    file: BufWriter<File>,
    digest: Sha256,
    bytes: u64,
}

pub(super) const FORMAT: u32 = 1;

/// The path of the manifest of a file.
pub(super) fn manifest_path(path: &Path) -> PathBuf {
    with_suffix(path, ".manifest.json")
}

fn partial_path(path: &Path) -> PathBuf {
    with_suffix(path, ".partial")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

impl ArchiveWriter {
    /// Begins a file. A complete one of that name is refused; what a killed run left is written anew.
    pub fn create(path: &Path, log_id: Uuid) -> anyhow::Result<Self> {
        for existing in [path, &manifest_path(path)] {
            ensure!(!existing.exists(), "{} exists; archive files are not overwritten", existing.display());
        }
        let partial = partial_path(path);
        let context = || format!("cannot write {}", partial.display());
        let file = File::options().write(true).create(true).truncate(false).open(&partial).with_context(context)?;
        match file.try_lock() {
            Err(fs::TryLockError::WouldBlock) => bail!("another process writes {}", partial.display()),
            Err(fs::TryLockError::Error(error)) => return Err(error).with_context(context),
            Ok(()) => file.set_len(0).with_context(context)?,
        }
        let file = HashingFile { file: BufWriter::new(file), digest: Sha256::new(), bytes: 0 };
        let encoder = Encoder::new(file, zstd::DEFAULT_COMPRESSION_LEVEL).with_context(context)?;
        Ok(Self { path: path.to_owned(), partial: PartialFile(partial), encoder, log_id, events: 0, positions: None })
    }

    /// Adds events, in the order of their positions.
    pub fn write(&mut self, events: &[Json<Value>]) -> anyhow::Result<()> {
        for Json(event) in events {
            let position = event["position"].as_i64().context("an event has no position")?;
            let (first, last) = self.positions.unwrap_or((position, position));
            self.positions = Some((first.min(position), last.max(position)));
            self.events += 1;
            let written = serde_json::to_writer(&mut self.encoder, event).map_err(io::Error::from);
            written.and_then(|()| self.encoder.write_all(b"\n")).with_context(|| self.cannot_write())?;
        }
        Ok(())
    }

    /// Ends the file: it is on the disk, under its name and with its manifest, when this returns.
    pub fn finish(self, recorded_before: &DateTime<Utc>) -> anyhow::Result<Manifest> {
        let cannot_write = self.cannot_write();
        let Self { path, partial, encoder, log_id, events, positions } = self;
        let finished = encoder.finish().and_then(|mut file| file.file.flush().map(|()| file));
        let HashingFile { file, digest, bytes } = finished.with_context(|| cannot_write.clone())?;
        let manifest = Manifest {
            format: FORMAT,
            log_id,
            recorded_before: *recorded_before,
            events,
            first_position: positions.map(|(first, _)| first),
            last_position: positions.map(|(_, last)| last),
            bytes,
            sha256: hex::encode(digest.finalize()),
        };
        let stored = file.get_ref().sync_all().and_then(|()| {
            let beside = manifest_path(&path);
            let unfinished = PartialFile(partial_path(&beside));
            let mut text = serde_json::to_string_pretty(&manifest)?;
            text.push('\n');
            let mut file = File::create(&unfinished.0)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&partial.0, &path)?;
            fs::rename(&unfinished.0, &beside)?;
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            File::open(folder)?.sync_all()
        });
        stored.with_context(|| cannot_write)?;
        Ok(manifest)
    }

    fn cannot_write(&self) -> String {
        format!("cannot write {}; nothing was archived", self.path.display())
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        // After a rename there is no such file.
        let _ = fs::remove_file(&self.0);
    }
}

impl Write for HashingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
