//! The `kempe` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    kempe_cli::run()
}
