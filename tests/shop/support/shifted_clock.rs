//! A wall clock that is wrong by as much as a test says, for the program, for PostgreSQL, or for both.
//!
//! A small library is compiled and loaded before libc: it answers for the wall clock and leaves the monotonic clock.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::TimeDelta;
use tempfile::TempDir;

pub struct ShiftedClock {
    folder: TempDir,
}

const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile const int64_t *shift;

__attribute__((constructor)) static void open_shift(void) {
    const char *path = getenv("CLOCK_SHIFT");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *page = mmap(0, sizeof *shift, PROT_READ, MAP_SHARED, file, 0);
    if (page != MAP_FAILED) shift = page;
    close(file);
}

int clock_gettime(clockid_t id, struct timespec *now) {
    int failed = (int)syscall(SYS_clock_gettime, id, now);
    if (!failed && shift && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) now->tv_sec += *shift;
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec time;
    int failed = clock_gettime(CLOCK_REALTIME, &time);
    now->tv_sec = time.tv_sec;
    now->tv_usec = time.tv_nsec / 1000;
    return failed;
}

time_t time(time_t *stored) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (stored) *stored = now.tv_sec;
    return now.tv_sec;
}
"#;

impl ShiftedClock {
    /// A clock that is right, until it is shifted.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("cartwright-clock-").tempdir_in("/var/tmp").unwrap();
        // The account of PostgreSQL reads it too.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let clock = Self { folder };
        clock.shift(TimeDelta::zero());
        let source = clock.path("shift.c");
        fs::write(&source, SOURCE).unwrap();
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(clock.shim()).arg(&source);
        assert!(compiler.status().unwrap().success(), "cannot compile the shifted clock");
        clock
    }

    /// Moves the clock of all processes that use it.
    pub fn shift(&self, shift: TimeDelta) {
        use std::io::Write;
        // Written in place: running processes have mapped the file.
        let mut file =
            fs::OpenOptions::new().create(true).truncate(false).write(true).open(self.path("shift")).unwrap();
        file.write_all(&shift.num_seconds().to_le_bytes()).unwrap();
    }

    /// Lets a program use the clock; the embedded PostgreSQL does not inherit it.
    pub fn of_program(&self, command: &mut Command) {
        command.env("LD_PRELOAD", self.shim()).env("CLOCK_SHIFT", self.path("shift"));
    }

    /// A folder of PostgreSQL's programs that use the clock, in front of the real ones.
    pub fn of_postgres(&self, real: &Path) -> PathBuf {
        let folder = self.path("bin");
        fs::create_dir_all(&folder).unwrap();
        for program in ["initdb", "postgres"] {
            let (library, shift, real) = (self.shim(), self.path("shift"), real.join(program));
            let script = format!(
                "#!/bin/sh\nLD_PRELOAD={} CLOCK_SHIFT={} exec {} \"$@\"\n",
                library.display(),
                shift.display(),
                real.display()
            );
            fs::write(folder.join(program), script).unwrap();
            fs::set_permissions(folder.join(program), Permissions::from_mode(0o755)).unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn shim(&self) -> PathBuf {
        self.path("shift.so")
    }
}
