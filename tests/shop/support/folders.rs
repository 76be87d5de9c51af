//! The folder of a run's databases.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use nix::sys::statvfs::statvfs;

/// In memory if enough of it is free, else on the disk, where a database waits at each of its commits.
static RUN: LazyLock<RunFolder> = LazyLock::new(|| {
    let (memory, disk) = (PathBuf::from("/dev/shm"), PathBuf::from("/var/tmp"));
    clear_leftovers(&memory);
    clear_leftovers(&disk);
    let parent = if free_memory(&memory) >= NEEDED_BYTES { memory } else { disk };
    let path = parent.join(format!("{PREFIX}{}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    RunFolder { _sweeper: start_sweeper(&path), path }
});

struct RunFolder {
    path: PathBuf,
    /// Removes the folder when this process has ended.
    _sweeper: Child,
}

const PREFIX: &str = "cartwright-tests-";

/// More than a run occupies: the shared server came to 435 MB, and the database of each started program to 100 MB.
const NEEDED_BYTES: u64 = 2 << 30;

/// A folder of the shared server.
pub fn server_dir() -> PathBuf {
    RUN.path.join("server")
}

/// The data folder of a program.
pub fn data_dir() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("program-").tempdir_in(&RUN.path).unwrap()
}

/// The bytes that can be written to a folder in memory: its own limit often exceeds the memory of the machine.
fn free_memory(folder: &Path) -> u64 {
    let free = statvfs(folder).map_or(0, |limit| limit.blocks_available() * limit.fragment_size());
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = memory.lines().find_map(|line| line.strip_prefix("MemAvailable:")?.trim().strip_suffix("kB"));
    let kilobytes: u64 = available.and_then(|number| number.trim().parse().ok()).unwrap_or(0);
    free.min(kilobytes * 1024)
}

/// Starts a shell that removes the folder as soon as this process and then each PostgreSQL in the folder have ended.
///
/// Its input is a pipe that only this process holds, so the end of the input is the end of this process.
fn start_sweeper(folder: &Path) -> Child {
    let script = r#"
        cat
        rounds=0
        while ls "$1"/*/pgdata/postmaster.pid && [ "$rounds" -lt 300 ]; do
            rounds=$((rounds + 1))
            sleep 0.1
        done
        rm -rf "$1"
    "#;
    let mut sweeper = Command::new("sh");
    sweeper.args(["-c", script, "sh"]).arg(folder);
    sweeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Removes the folders of runs whose sweeper was killed with them.
fn clear_leftovers(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(pid) = name.strip_prefix(PREFIX) else { continue };
        if !PathBuf::from(format!("/proc/{pid}")).exists() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
