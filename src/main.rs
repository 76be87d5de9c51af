//! The command line of the shop: see `cartwright --help`.

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    let _points = cartwright::points::arm();
    cartwright::cli::run(cartwright::cli::Cli::parse()).await
}
