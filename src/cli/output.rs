//! Output of subcommands: lines, errors and progress bars.

use std::io::Write;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};

use crate::projector::Progress;

/// Prints a line on standard output. Ignores a closed output: its reader has stopped reading.
pub(super) fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints a line on standard error.
pub(super) fn print_error(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The error and its causes, without repetition where an error already includes its cause.
pub(super) fn error_in_one_line(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |line, cause| match line.as_str() {
        "" => cause,
        _ if line.contains(&cause) => line,
        _ => format!("{line}: {cause}"),
    })
}

/// A progress bar for the rebuild of a projection.
pub(super) fn rebuild_bar(projection: &'static str) -> ProgressBar {
    let style = bar_style("{msg:24} {wide_bar} {pos}/{len} events, {prefix}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())).with_message(projection)
}

pub(super) fn show_progress(bar: &ProgressBar, progress: Progress) {
    bar.set_length(progress.of.unsigned_abs());
    bar.set_position(progress.position.unsigned_abs());
    bar.set_prefix(format!("{:.0}/s, {} s left", progress.events_per_second, progress.left.as_secs()));
}

pub(super) fn bar_style(template: &str) -> anyhow::Result<ProgressStyle> {
    ProgressStyle::with_template(template).context("cannot draw the progress bar")
}
