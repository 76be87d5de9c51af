//! The pid file of a server, and the socket at which it listens.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use sha2::{Digest, Sha256};

use super::{NAME, PORT};

/// The least of the supported systems (macOS), without the closing zero.
const SOCKET_PATH_BYTES_MAX: usize = 103;

/// The contents of `postmaster.pid`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PidFile {
    pub pid: i32,
    started_at: String,
    pub socket_folder: PathBuf,
    pub is_ready: bool,
}

impl PidFile {
    pub fn read(pgdata: &Path) -> Option<Self> {
        let bytes = fs::read(pgdata.join("postmaster.pid")).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        Some(Self {
            pid: lines.first()?.parse().ok().filter(|pid| *pid > 0)?,
            started_at: (*lines.get(2)?).to_owned(),
            socket_folder: PathBuf::from(lines.get(4)?),
            is_ready: lines.get(7) == Some(&"ready"),
        })
    }

    /// Whether a server listens. Sessions that outlive their server do not.
    pub fn answers(&self) -> bool {
        UnixStream::connect(self.socket_folder.join(socket_name())).is_ok()
    }

    pub fn is_alive(&self) -> bool {
        kill(Pid::from_raw(self.pid), None) != Err(Errno::ESRCH)
    }
}

fn socket_name() -> String {
    format!(".s.PGSQL.{PORT}")
}

/// Beside the data, unless the system or PostgreSQL could not cope with that path.
pub(super) fn socket_folder(data_folder: &Path) -> PathBuf {
    let beside_data = data_folder.join("run");
    let path_bytes = beside_data.join(socket_name()).as_os_str().len();
    let is_plain = beside_data.to_str().is_some_and(|path| !path.contains([',', '"']));
    if is_plain && path_bytes <= SOCKET_PATH_BYTES_MAX {
        return beside_data;
    }
    let hash = Sha256::digest(data_folder.as_os_str().as_bytes());
    let short_hash: String = hash.iter().take(10).map(|byte| format!("{byte:02x}")).collect();
    PathBuf::from(format!("/tmp/{NAME}-{short_hash}"))
}
