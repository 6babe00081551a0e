//! The `kempe` command.

use std::process::ExitCode;

/// A block allocates and frees on all threads at once; with this allocator a transfer was measured to
/// take 15 % less than with the C library's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    kempe_cli::run()
}
