//! Named points between two steps, at which a test lets the process die or stand still.
//!
//! Only `cargo test` builds the program with them, because only `[dev-dependencies]` asks the crate `fail` for its
//! feature; in every other build nothing is left of a point, not even its name. The variable `FAILPOINTS` says what
//! happens where, in the words of that crate, and `return` at a point means one of two:
//!
//! - `return(kill)`: the process is gone at once, as after `kill -9`.
//! - `return(stop)`: the process stands still until it gets SIGCONT.
//!
//! `journal-append-stored=3*off->return(kill)` dies at the fourth append, when it is stored and nobody was answered.
//! Points stand between batches, never between events.

use fail::FailScenario;
use nix::sys::signal::{Signal, raise};

/// Lets the process reach a point.
macro_rules! point {
    ($name:literal) => {{
        // A function of its own, because what `fail_point` returns from must not be the function that it stands in.
        let reach = || {
            fail::fail_point!($name, $crate::points::obey);
        };
        reach();
    }};
}
pub(crate) use point;

/// Reads `FAILPOINTS`, in a build that has points. They hold as long as the returned value lives.
pub fn arm() -> Option<FailScenario<'static>> {
    fail::has_failpoints().then(FailScenario::setup)
}

/// Does what `return(…)` asks for.
pub fn obey(order: Option<String>) {
    let signal = if order.as_deref() == Some("stop") { Signal::SIGSTOP } else { Signal::SIGKILL };
    if raise(signal).is_err() {
        std::process::abort();
    }
}
