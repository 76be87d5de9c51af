//! Temporary files: what is left when a process dies while it writes a file.

/// Whether a file name is that of a file that was being written: `<name>#<number>`, as the media store writes.
pub fn is_temporary(file_name: &str) -> bool {
    file_name.rsplit_once('#').is_some_and(|(name, number)| {
        !name.is_empty() && !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
    })
}
