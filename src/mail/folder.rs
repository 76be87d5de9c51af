//! Mails as files, for shops without an SMTP server. A mail may hold a link that opens an account, so only the
//! shop's user can read it, also in a folder that others may enter.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use uuid::Uuid;

/// Extension of a mail.
const EXTENSION: &str = "eml";

/// Writes a mail to the folder, which is created if it is missing. A reader sees all of the file or none.
pub(super) fn write_mail(folder: &Path, mail: &[u8]) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let path = folder.join(format!("{}.{EXTENSION}", Uuid::new_v4()));
    let draft = path.with_extension("draft");
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(mail)?;
    fs::rename(&draft, &path)
}

/// Takes the mails that earlier versions wrote away from other users of the machine; returns the last failure.
pub fn restrict_mails(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    let mut outcome = Ok(());
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            match restrict_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => outcome = Err(error),
                _ => {}
            }
        }
    }
    outcome
}

fn restrict_file(path: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    if found.is_file() && found.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_one_else_reads_mails_in_a_folder_that_others_may_enter() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let old = folder.path().join("old.eml");
        let other = folder.path().join("notes.txt");
        for file in [&old, &other] {
            fs::write(file, "x").unwrap();
            fs::set_permissions(file, Permissions::from_mode(0o644)).unwrap();
        }
        write_mail(folder.path(), b"Subject: hello\r\n\r\nhello").unwrap();
        restrict_mails(folder.path()).unwrap();
        restrict_mails(&folder.path().join("missing")).unwrap();
        for entry in fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            let expected = if entry.path() == other { 0o644 } else { 0o600 };
            assert_eq!(mode, expected, "{:?}", entry.path());
        }
    }
}
