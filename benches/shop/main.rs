//! Measures the figures of `docs/benchmarks.md` and prints them as one table.
//!
//! `cargo bench` runs every section, `cargo bench -- flows reads` only those named, `--quick` with short rounds.
//! Each section has its own PostgreSQL, on disk and with durable settings; client, server and database share the machine.
//! Compared variants run in the same call in alternating rounds, so that the ratios hold on a noisy machine.
//! After every load the log is checked and the read tables are verified: a wrong result fails the run.

#![expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]

mod catalogue;
mod client;
mod flows;
mod in_process;
mod journal;
mod load;
mod program;
mod reads;
mod rebuild;
mod report;
mod search;
#[path = "../../tests/shop/support/tokens.rs"]
mod tokens;
mod whole;

use report::Report;

#[tokio::main]
async fn main() {
    // Cargo passes `--bench`.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let known = ["journal", "flows", "reads", "rebuild", "search", "whole"];
    if let Some(unknown) = wanted.iter().find(|name| !known.contains(&name.as_str())) {
        println!("unknown section `{unknown}`; sections: {}", known.join(", "));
        std::process::exit(2);
    }
    let runs = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    let mut report = Report::default();
    if runs("journal") {
        journal::measure(&mut report).await;
    }
    if runs("flows") {
        flows::measure(&mut report).await;
    }
    if runs("reads") {
        reads::measure(&mut report).await;
    }
    if runs("rebuild") {
        rebuild::measure(&mut report).await;
    }
    if runs("search") {
        search::measure(&mut report).await;
    }
    if runs("whole") {
        whole::measure(&mut report).await;
    }
    println!("\n{report}");
}
