//! The command line of the shop: see `cartwright --help`.

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;

/// A fifth of the server's time went into the system's allocator under load.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let _failpoints = cartwright::failpoints::arm();
    cartwright::cli::run(cartwright::cli::Cli::parse()).await
}
