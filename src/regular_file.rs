//! Files that operators name. Only regular ones are read and written: a pipe could stop a command, and a device fill it.

use std::fs::{File, FileType, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use nix::libc;

/// Opens a file for reading.
pub fn open(path: &Path) -> io::Result<File> {
    open_with(OpenOptions::new().read(true), path)
}

/// Opens a file for writing, which only its owner can read if it is new. Its content stays until it is replaced.
pub fn open_for_report(path: &Path) -> io::Result<File> {
    open_with(OpenOptions::new().write(true).create(true).truncate(false).mode(0o600), path)
}

/// Without waiting for the other end of a pipe.
fn open_with(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() { Ok(file) } else { Err(io::Error::other(describe(kind))) }
}

fn describe(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "it is a folder, not a regular file"
    } else if kind.is_fifo() {
        "it is a pipe, not a regular file"
    } else {
        "it is not a regular file"
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    #[test]
    fn folders_pipes_and_devices_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        for (path, expected) in [
            (folder.path(), "it is a folder, not a regular file"),
            (&pipe, "it is a pipe, not a regular file"),
            (Path::new("/dev/zero"), "it is not a regular file"),
        ] {
            assert_eq!(open(path).unwrap_err().to_string(), expected);
        }
        // No process reads the pipe.
        assert!(open_for_report(&pipe).is_err() && open_for_report(folder.path()).is_err());
        let file = folder.path().join("file");
        std::fs::write(&file, "kept").unwrap();
        open_for_report(&file).unwrap();
        assert_eq!(io::read_to_string(open(&file).unwrap()).unwrap(), "kept");
    }
}
