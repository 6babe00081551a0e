//! `kempe bench`: measurements, one file each.

mod pipeline;

use clap::Subcommand;

use crate::args::HELP;
use crate::output::{Failure, Output};

const EXAMPLES: &str = "\
Examples:
  kempe bench pipeline              from bytes to durable blocks, in under a minute";

/// The arguments of `kempe bench`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES, help_template = HELP)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The whole path of a transaction: bytes, signature, execution, root, disk
    Pipeline(pipeline::Args),
}

pub(super) fn run(args: &Args, output: &Output) -> Result<(), Failure> {
    match &args.what {
        What::Pipeline(args) => pipeline::run(args, output),
    }
}
