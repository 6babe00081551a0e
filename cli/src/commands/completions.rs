//! `kempe completions`: a completion script.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::{Cli, HELP};
use crate::output::{Failure, Output};

const EXAMPLES: &str = "\
Examples:
  kempe completions bash > ~/.local/share/bash-completion/completions/kempe
  kempe completions zsh > ~/.zfunc/_kempe";

/// The arguments of `kempe completions`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES, help_template = HELP)]
pub struct Args {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &Args, output: &Output) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "kempe", &mut script);
    Ok(output.raw(&script)?)
}
