//! Failpoints: named places between two steps where a test can kill or pause the process.
//!
//! Only `cargo test` compiles them in, because only `[dev-dependencies]` enables the feature of the crate `fail`; any
//! other build contains neither the checks nor the names. The environment variable `FAILPOINTS` configures them with
//! that crate's syntax. `return` takes one of two actions:
//!
//! - `return(kill)`: kills the process at once, like `kill -9`.
//! - `return(stop)`: pauses the process until it receives SIGCONT.
//!
//! `journal-append-stored=3*off->return(kill)` kills the process at the fourth append, after the append is stored and
//! before its callers are answered. Place failpoints between batches, never between events: they cost nothing in a
//! release build, but a test build evaluates each one.

use fail::FailScenario;
use nix::sys::signal::{Signal, raise};

/// Marks a failpoint.
macro_rules! failpoint {
    ($name:literal) => {{
        // `fail_point!` can return from the enclosing function, so it gets a closure of its own.
        let reach = || {
            fail::fail_point!($name, $crate::failpoints::act);
        };
        reach();
    }};
}
pub(crate) use failpoint;

/// Reads `FAILPOINTS` if this build contains failpoints. They stay active as long as the returned value lives.
pub fn arm() -> Option<FailScenario<'static>> {
    fail::has_failpoints().then(FailScenario::setup)
}

/// Performs the action that `return(…)` names.
pub fn act(action: Option<String>) {
    let signal = if action.as_deref() == Some("stop") { Signal::SIGSTOP } else { Signal::SIGKILL };
    if raise(signal).is_err() {
        std::process::abort();
    }
}
