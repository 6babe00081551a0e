//! The verbs, one file each: its arguments and `run`.

pub mod build;
pub mod completions;
pub mod keys;
pub mod new;

use crate::args::{Command, Global};
use crate::output::{Failure, Output};

/// Runs a verb.
///
/// # Errors
/// [`Failure`], with the exit code of the process.
pub fn run(command: Command, global: &Global, output: &Output) -> Result<(), Failure> {
    match command {
        Command::New(args) => new::run(&args, output),
        Command::Build(args) => build::run(&args, output),
        Command::Keys(args) => keys::run(args, global, output),
        Command::Completions(args) => completions::run(&args, output),
    }
}
