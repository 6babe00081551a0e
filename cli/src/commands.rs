//! The verbs, one file each: its arguments and `run`.

pub mod bench;
pub mod bindings;
pub mod block;
pub mod build;
pub mod call;
pub mod check;
pub mod completions;
pub mod demo;
pub mod deploy;
pub mod doctor;
pub mod events;
pub mod explain;
pub mod init;
pub mod inspect;
pub mod keys;
pub mod new;
pub mod replay;
pub mod run;
pub mod schedule;
pub mod simulate;
pub mod state;
pub mod tx;
pub mod upgrade;

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
        Command::Init(args) => init::run(&args, output),
        Command::Deploy(args) => deploy::run(&args, global, output),
        Command::Upgrade(args) => upgrade::run(&args, global, output),
        Command::Call(args) => call::run(&args, global, output),
        Command::Simulate(args) => simulate::run(&args, global, output),
        Command::Run(args) => run::run(&args, global, output),
        Command::Demo(args) => demo::run(&args, output),
        Command::Check(args) => check::run(&args, output),
        Command::Inspect(args) => inspect::run(&args, output),
        Command::Explain(args) => explain::run(&args, global, output),
        Command::Schedule(args) => schedule::run(&args, global, output),
        Command::Tx(args) => tx::run(&args, global, output),
        Command::Block(args) => block::run(&args, global, output),
        Command::Events(args) => events::run(&args, global, output),
        Command::Replay(args) => replay::run(&args, global, output),
        Command::State(args) => state::run(&args, global, output),
        Command::Doctor(args) => doctor::run(&args, global, output),
        Command::Bench(args) => bench::run(&args, output),
        Command::Bindings(args) => bindings::run(&args, output),
        Command::Keys(args) => keys::run(args, global, output),
        Command::Completions(args) => completions::run(&args, output),
    }
}
