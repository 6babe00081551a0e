//! The `kempe` command: write, build and deploy contracts, call them, and see what runs in parallel.
//!
//! Standard output carries the result and nothing else; everything else goes to standard error.
//! With `--json` the result is one JSON value.

pub mod abi_view;
pub mod args;
mod argv;
pub mod bindings;
mod calls;
pub mod commands;
mod compiled;
pub mod describe;
mod durable;
mod footprint;
mod invoke;
pub mod keystore;
mod lints;
mod locate;
pub mod measure;
mod module;
pub mod output;
pub mod password;
mod private;
mod progress;
pub mod report;
mod send;
pub mod session;
mod suggest;
mod transfers;
pub mod value;

use std::env;
use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;
use crate::output::Output;

/// Runs the command line of this process.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse_from(argv::separate(env::args_os().collect())) {
        Ok(cli) => cli,
        // Prints help and version to standard output with code 0, errors to standard error with 2.
        Err(error) => error.exit(),
    };
    let output = Output::new(&cli.global);
    match commands::run(cli.command, &cli.global, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => output.failure(&failure),
    }
}
