//! Bounds the log file of the embedded server: when it has grown too long, only its end is kept.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

/// The longest log file, in bytes.
pub(super) const MAX_BYTES: u64 = 10 * 1024 * 1024;
/// How much of a longer one is kept, in bytes.
const KEPT_BYTES: u64 = 1024 * 1024;
const CHECK_INTERVAL: Duration = Duration::from_secs(60);

/// Shortens the log whenever it is too long; never ends.
pub(super) async fn keep_short(path: &Path) {
    loop {
        tokio::time::sleep(CHECK_INTERVAL).await;
        if let Err(error) = shorten(path, MAX_BYTES, KEPT_BYTES) {
            tracing::warn!(%error, "cannot shorten the log of the embedded server");
        }
    }
}

/// Keeps the last `kept_bytes` of a file that has more than `max_bytes`, from the beginning of a line on.
///
/// The server appends to the open file, so its next line follows the kept ones. Lines that it writes at this moment may
/// be lost.
pub(super) fn shorten(path: &Path, max_bytes: u64, kept_bytes: u64) -> io::Result<()> {
    let mut log = File::open(path)?;
    let length = log.metadata()?.len();
    if length <= max_bytes {
        return Ok(());
    }
    log.seek(SeekFrom::Start(length.saturating_sub(kept_bytes)))?;
    let mut end = Vec::new();
    log.take(kept_bytes).read_to_end(&mut end)?;
    let first_line = end.iter().position(|byte| *byte == b'\n').map_or(0, |place| place + 1);
    let mut log = OpenOptions::new().append(true).open(path)?;
    log.set_len(0)?;
    log.write_all(&end[first_line..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_keeps_its_last_lines_and_its_writer_continues() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut server = OpenOptions::new().create(true).append(true).open(&path).unwrap();
        let mut write = |text: &str| server.write_all(text.as_bytes()).unwrap();
        write("one\ntwo\nthree\n");
        shorten(&path, 14, 7).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\nthree\n", "it is not too long");
        write("four\n");
        shorten(&path, 14, 12).unwrap();
        write("five\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "three\nfour\nfive\n");
    }
}
