//! Servers that kill themselves at a named step: see `src/failpoints.rs`.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use nix::sys::signal::Signal;

use super::program::{command, wait_for};

/// The command of a server without sample data, with its failpoints.
pub fn server_on(folder: &Path, port: u16, points: &str) -> Command {
    let mut command = command(folder);
    command.args(["--no-seeds", "--listen", &format!("127.0.0.1:{port}")]).env("FAILPOINTS", points);
    command
}

pub fn assert_killed(status: ExitStatus, points: &str) {
    assert_eq!(status.signal(), Some(Signal::SIGKILL as i32), "{points}: {status}");
}

/// Runs a program until its failpoint kills it, before it is ready or soon after.
pub fn run_until_killed(command: &mut Command, points: &str) {
    let mut child = command.env("FAILPOINTS", points).stdout(Stdio::null()).spawn().unwrap();
    assert_killed(wait_for(points, || child.try_wait().unwrap()), points);
}
