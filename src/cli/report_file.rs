//! Files that a command writes its report to.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::regular_file;

/// A file for the rows that a command leaves out. Other users of the machine cannot read a new one, because rows may name
/// buyers. Until the report is written, an older file keeps its content; a new one goes if the command fails.
pub(super) struct ReportFile {
    file: File,
    path: PathBuf,
    /// Whether the file goes when this is dropped.
    is_unwritten: bool,
}

impl ReportFile {
    /// Opens the file; fails if it cannot be written, or is the file that the command reads.
    pub fn open(path: &Path, input: &Path) -> anyhow::Result<Self> {
        let is_new = !path.exists();
        let cannot_write = || format!("cannot write {}", path.display());
        let file = regular_file::open_for_report(path).with_context(cannot_write)?;
        let found = file.metadata().with_context(cannot_write)?;
        let is_input = fs::metadata(input).is_ok_and(|input| (input.dev(), input.ino()) == (found.dev(), found.ino()));
        ensure!(!is_input, "cannot write {}: it is the file that is read", path.display());
        Ok(Self { file, path: path.to_owned(), is_unwritten: is_new })
    }

    /// Replaces the content.
    pub fn write(mut self, report: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>) -> anyhow::Result<()> {
        let replace = || {
            self.file.set_len(0)?;
            let mut writer = BufWriter::new(&self.file);
            report(&mut writer)?;
            writer.flush()
        };
        replace().with_context(|| format!("cannot write {}", self.path.display()))?;
        self.is_unwritten = false;
        Ok(())
    }
}

impl Drop for ReportFile {
    fn drop(&mut self) {
        if self.is_unwritten {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_replaces_a_file_only_when_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (input, report) = (folder.path().join("input"), folder.path().join("report"));
        fs::write(&input, "rows").unwrap();
        drop(ReportFile::open(&report, &input).unwrap());
        assert!(!report.exists());
        fs::write(&report, "an older report").unwrap();
        drop(ReportFile::open(&report, &input).unwrap());
        assert_eq!(fs::read_to_string(&report).unwrap(), "an older report");
        ReportFile::open(&report, &input).unwrap().write(|file| file.write_all(b"new")).unwrap();
        assert_eq!(fs::read_to_string(&report).unwrap(), "new");
        fs::hard_link(&input, folder.path().join("link")).unwrap();
        for same in ["input", "link"] {
            let error = ReportFile::open(&folder.path().join(same), &input).err().unwrap().to_string();
            assert!(error.ends_with("it is the file that is read"), "{error}");
        }
        assert_eq!(fs::read_to_string(&input).unwrap(), "rows");
    }
}
