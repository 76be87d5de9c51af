//! Bounds the folder that mails are written to without an SMTP server: the oldest files are deleted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Mails between two checks of the folder.
pub(super) const CHECK_EVERY: u64 = 100;

/// Deletes the oldest mails of a folder until at most `most` are left; returns how many. Other files stay.
pub(super) fn delete_oldest(folder: &Path, most: usize) -> io::Result<usize> {
    let mut mails: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.path().extension().is_some_and(|extension| extension == "eml") {
            mails.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    let surplus = mails.len().saturating_sub(most);
    mails.sort_unstable();
    for (_, mail) in mails.drain(..surplus) {
        match fs::remove_file(mail) {
            // Another node may share the folder.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(surplus)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_oldest_mails_are_deleted_and_other_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        for (name, age) in [("a.eml", 3), ("b.eml", 1), ("c.eml", 2), ("notes.txt", 9)] {
            let file = fs::File::create(folder.path().join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(60 * age)).unwrap();
        }
        assert_eq!(delete_oldest(folder.path(), 3).unwrap(), 0);
        assert_eq!(delete_oldest(folder.path(), 2).unwrap(), 1);
        let mut left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["b.eml", "c.eml", "notes.txt"]);
    }
}
