//! The program `cartwright`: see `cartwright --help`.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// The system's allocator took a fifth of the server's time under load.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let _failpoints = cartwright::failpoints::arm();
    cartwright::cli::run(cartwright::cli::Cli::read()).await
}
