//! New files of this program are for its own user: keys, mails, reports, logs. Programs that it runs for a person, such
//! as psql, keep the mask of that person.

use std::sync::OnceLock;

use nix::sys::stat::{Mode, umask};

/// The file mode mask that the process was started with.
static CALLERS_MASK: OnceLock<Mode> = OnceLock::new();

/// Masks the rights of group and others on every file that the process creates from now on.
pub(super) fn restrict_new_files() {
    let found = umask(private());
    let _ = CALLERS_MASK.set(found);
}

/// Starts a child process with the mask that this process was started with.
pub(super) fn with_callers_umask<T>(start: impl FnOnce() -> T) -> T {
    umask(CALLERS_MASK.get().copied().unwrap_or_else(private));
    let started = start();
    umask(private());
    started
}

fn private() -> Mode {
    Mode::S_IRWXG | Mode::S_IRWXO
}
