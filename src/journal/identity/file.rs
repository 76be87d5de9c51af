//! The file in which a node remembers the log: `log/<log id>.json` in its data folder.
//!
//! It is written durably, and rarely: the seen event may be some seconds old, because an older one recognises a restored
//! database as well. The numbers must never be too low, so they are reserved ahead.
//! Several processes may share the folder; each keeps what the others have written.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{LogIdentity, SeenEvent};
use crate::journal::numbers::Numbers;

/// Location of the files of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    folder: PathBuf,
}

/// Content of the file.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct FileRecord {
    #[serde(flatten)]
    pub identity: LogIdentity,
    /// The newest event that the node has seen in this generation.
    pub seen: Option<SeenEvent>,
    /// By kind, the highest number that the node may have given, also in earlier generations.
    pub numbers: Numbers,
}

impl LogFile {
    pub fn in_data_folder(data_dir: &Path) -> Self {
        Self { folder: data_dir.join("log") }
    }

    /// What was last written about a log. An unreadable file counts as none.
    pub(super) fn load(&self, log_id: Uuid) -> Option<FileRecord> {
        let path = self.path(log_id);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            text => text,
        };
        let record = text.and_then(|text| serde_json::from_slice(&text).map_err(io::Error::from));
        record.inspect_err(|error| tracing::error!(path = %path.display(), %error, "cannot read the file")).ok()
    }

    /// Replaces the file by one that also holds what other processes have written.
    pub(super) fn save(&self, record: &FileRecord) -> io::Result<()> {
        if !self.folder.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
            if let Some(data_dir) = self.folder.parent() {
                give_to_owner(data_dir, &File::open(&self.folder)?)?;
            }
        }
        let path = self.path(record.identity.log_id);
        let lock = private().create(true).truncate(false).open(path.with_extension("lock"))?;
        give_to_owner(&self.folder, &lock)?;
        lock.lock()?;
        let record = match self.load(record.identity.log_id) {
            Some(stored) => record.merged(&stored),
            None => *record,
        };
        let temporary = path.with_extension("tmp");
        let mut file = private().create(true).truncate(true).open(&temporary)?;
        give_to_owner(&self.folder, &file)?;
        file.write_all(&serde_json::to_vec(&record)?)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        File::open(&self.folder)?.sync_all()?;
        lock.unlock()
    }

    fn path(&self, log_id: Uuid) -> PathBuf {
        self.folder.join(format!("{log_id}.json"))
    }
}

/// Options to write a file that no other account can read. A symbolic link is not followed.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600).custom_flags(nix::libc::O_NOFOLLOW);
    options
}

/// Gives a file that root has made to the owner of its folder, as whom the server may run.
fn give_to_owner(folder: &Path, file: &File) -> io::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let owner = fs::metadata(folder)?;
    fchown(file, Some(owner.uid()), Some(owner.gid()))
}

impl FileRecord {
    /// The newer of two records, with the higher numbers of both.
    fn merged(&self, stored: &Self) -> Self {
        let key = |record: &Self| (record.identity.generation, record.seen.map(|seen| seen.position));
        let newer = if key(stored) > key(self) { stored } else { self };
        let mut numbers = self.numbers;
        numbers.raise(&stored.numbers);
        Self { numbers, ..*newer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(generation: i64, position: i64, numbers: i64) -> FileRecord {
        let seen = Some(SeenEvent { position, event_id: Uuid::from_u128(position.unsigned_abs().into()) });
        let identity = LogIdentity { log_id: Uuid::nil(), generation };
        FileRecord { identity, seen, numbers: Numbers::default().raised_by(numbers) }
    }

    #[test]
    fn processes_that_share_a_folder_keep_the_newest_event_and_the_highest_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let file = LogFile::in_data_folder(&folder.path().join("data"));
        assert_eq!(file.load(Uuid::nil()), None);
        file.save(&record(1, 20, 5)).unwrap();
        file.save(&record(1, 10, 9)).unwrap();
        assert_eq!(file.load(Uuid::nil()), Some(record(1, 20, 9)));
        file.save(&record(2, 7, 3)).unwrap();
        file.save(&record(1, 30, 1)).unwrap();
        assert_eq!(file.load(Uuid::nil()), Some(record(2, 7, 9)), "positions of an earlier generation do not count");
        assert_eq!(file.load(Uuid::max()), None, "each log has its own file");
        fs::write(file.path(Uuid::nil()), "{").unwrap();
        assert_eq!(file.load(Uuid::nil()), None);
    }
}
