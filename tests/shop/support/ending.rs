//! Programs and folders of a test run that end with it, however it ends.

use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A shell that waits for the end of this process: its input is a pipe that only this process holds.
pub struct EndsWithThisRun {
    _shell: Child,
}

impl EndsWithThisRun {
    /// Kills the programs and removes the folder as soon as this process has ended.
    pub fn new(programs: &[&Child], folder: &Path) -> Self {
        let script = r#"
            cat
            folder=$1
            shift
            kill -KILL "$@"
            # What a program writes while it ends may keep the folder from being empty.
            for _ in 1 2 3 4 5 6 7 8 9 10; do
                rm -rf "$folder" && break
                sleep 0.2
            done
        "#;
        let mut shell = Command::new("sh");
        shell.args(["-c", script, "sh"]).arg(folder).args(programs.iter().map(|program| program.id().to_string()));
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // An interrupt from the terminal must not end it before the programs.
        Self { _shell: std::os::unix::process::CommandExt::process_group(&mut shell, 0).spawn().unwrap() }
    }
}
