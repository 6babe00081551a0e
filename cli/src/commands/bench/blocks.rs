//! The blocks of a bench: a preset, patterns, and files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use kempe_bench::{Input, Pattern, SHAPES, TraceFault, WorldError};

use super::{Preset, RunArgs};
use crate::abi_view::printable;
use crate::measure::plural;
use crate::output::{Exit, Failure, Output, excerpt};

/// The blocks of `quick`, beside contention.
const QUICK: [&str; 12] = [
    "ycsb:zipf=0.9",
    "smallbank",
    "tpcc",
    "gigagas:hot=30",
    "amm",
    "orderbook",
    "oracle",
    "nft",
    "chain",
    "big:heavy=1",
    "token:accounts=1000,zipf=1",
    "defi",
];

/// The numbers of accounts over which contention is drawn.
const ACCOUNTS: [u32; 6] = [10, 100, 1000, 10_000, 100_000, 1_000_000];

/// The blocks of `full` beside each kind in its plain form: its other forms, of which each is far from all others.
const FORMS: [&str; 13] = [
    "p2p:accounts=2",
    "p2p:over=10",
    "p2p:trap=50",
    "p2p:latency=500",
    "p2p:sigma=1",
    "ycsb:zipf=0.9",
    "smallbank:hot=10",
    "tpcc:warehouses=1",
    "fees:add=1",
    "nft:add=1",
    "liquidation:add=1",
    "token:accounts=1000,zipf=1",
    "token:accounts=1000,hot=100",
];

/// The blocks of a bench, and what was left out of them.
#[derive(Default)]
pub(super) struct Blocks {
    pub(super) inputs: Vec<Input>,
    /// How many files of the directory cannot be read.
    pub(super) n_broken: u64,
    /// How many have no transactions: they are recorded blocks too.
    n_empty: u64,
}

impl Blocks {
    /// The blocks that the arguments name, or those of the preset.
    pub(super) fn of(args: &RunArgs, output: &Output) -> Result<Self, Failure> {
        let mut blocks = Self::default();
        let mut files = Vec::new();
        for file in &args.trace {
            files.push((file.clone(), Input::open(file)?));
        }
        if let Some(dir) = &args.traces {
            files.extend(blocks.read(dir, output)?);
        }
        for (file, input) in &files {
            if let Some(warning) = input.warning() {
                output.warn(format_args!("{}: {warning}", printable(&file.display().to_string())));
            }
        }
        blocks.inputs = told_apart(files);
        for pattern in &args.workload {
            blocks.inputs.push(generated(pattern)?);
        }
        let mut names: Vec<&str> = blocks.inputs.iter().map(Input::name).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            let message = format!("the block {} is named twice", twice[0]);
            return Err(Failure::new(Exit::Usage, message));
        }
        for text in preset(args).map(patterns).unwrap_or_default() {
            blocks.inputs.push(generated(&text.parse()?)?);
        }
        Ok(blocks)
    }

    /// The files of a directory that are blocks. Warns of the others.
    fn read(&mut self, dir: &Path, output: &Output) -> Result<Vec<(PathBuf, Input)>, Failure> {
        let mut files = Vec::new();
        for file in jsonl_files(dir)? {
            match Input::open(&file) {
                Ok(input) => files.push((file, input)),
                Err(error) => {
                    let is_empty = matches!(error.fault, TraceFault::Empty);
                    *(if is_empty { &mut self.n_empty } else { &mut self.n_broken }) += 1;
                    output.warn(format_args!("{}: it is left out", excerpt(&error.to_string())));
                }
            }
        }
        if files.is_empty() {
            let dir = dir.display();
            let message =
                format!("{dir} has no file whose name ends in .jsonl and that is a block");
            return Err(Failure::new(Exit::Failed, message));
        }
        Ok(files)
    }

    /// What was left out of the directory, if anything was.
    pub(super) fn left_out(&self) -> Option<String> {
        let parts =
            [(self.n_broken, "that cannot be read"), (self.n_empty, "without transactions")];
        let parts = parts.into_iter().filter(|(n, _)| *n > 0);
        let parts: Vec<String> =
            parts.map(|(n, which)| format!("{} {which}", plural(n, "file"))).collect();
        (!parts.is_empty()).then(|| parts.join(" and "))
    }
}

/// Files of one name in different directories are told apart by where they are.
fn told_apart(files: Vec<(PathBuf, Input)>) -> Vec<Input> {
    let names: Vec<String> = files.iter().map(|(_, input)| input.name().to_owned()).collect();
    let is_alone = |name: &str| names.iter().filter(|other| *other == name).count() == 1;
    let named = files.into_iter().map(|(file, input)| match is_alone(input.name()) {
        true => input,
        false => input.renamed(file.display().to_string()),
    });
    named.collect()
}

/// Which blocks are looked at, unless blocks are named.
pub(super) fn preset(args: &RunArgs) -> Option<Preset> {
    let are_named = !args.trace.is_empty() || args.traces.is_some() || !args.workload.is_empty();
    (!are_named).then(|| args.preset.unwrap_or(Preset::Quick))
}

/// The block of a pattern. One that would be too large is as wrong as one that is none.
pub(super) fn generated(pattern: &Pattern) -> Result<Input, Failure> {
    pattern.generate().map_err(|error| {
        let exit = match error {
            WorldError::TooManyAccesses(_) => Exit::Usage,
            _ => Exit::Failed,
        };
        Failure::new(exit, error)
    })
}

fn patterns(preset: Preset) -> Vec<String> {
    let n_txs = if preset == Preset::Quick { 1000 } else { 4000 };
    let sized = |text: &str| match text.contains(':') {
        true => format!("{text},txs={n_txs}"),
        false => format!("{text}:txs={n_txs}"),
    };
    let contention = ACCOUNTS.iter().map(|n| sized(&format!("p2p:accounts={n}")));
    let others: Vec<String> = match preset {
        Preset::Quick => QUICK.map(sized).into(),
        // Those of p2p are among the others already.
        Preset::Full => {
            let others = SHAPES.iter().filter(|shape| shape.name != "p2p");
            others.map(|shape| shape.name).chain(FORMS).map(sized).collect()
        }
    };
    contention.chain(others).collect()
}

/// The files below a directory in order of their names.
fn jsonl_files(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    let mut directories = vec![dir.to_owned()];
    while let Some(dir) = directories.pop() {
        let reading = || format!("reading {}", dir.display());
        for entry in fs::read_dir(&dir).with_context(reading)? {
            let entry = entry.with_context(reading)?;
            let path = entry.path();
            // A link to a directory may lead back up.
            if entry.file_type().with_context(reading)?.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "jsonl") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blocks_of_a_preset_differ_and_full_has_every_kind() {
        let blocks = |preset| -> Vec<String> {
            let patterns = patterns(preset).into_iter();
            // What is as it is by default is left out of the name.
            let mut names: Vec<String> =
                patterns.map(|text| text.parse::<Pattern>().unwrap().to_string()).collect();
            names.sort_unstable();
            assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
            names
        };
        assert_eq!(blocks(Preset::Quick).len(), 18);
        let full = blocks(Preset::Full);
        // What it takes goes with how many there are.
        assert_eq!(full.len(), 50);
        for shape in SHAPES {
            let is_plain = |name: &String| *name == format!("{}:txs=4000", shape.name);
            assert!(full.iter().any(is_plain), "{}", shape.name);
        }
    }
}
