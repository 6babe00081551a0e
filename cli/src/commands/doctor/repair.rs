//! `kempe doctor --repair`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use kempe_runtime::chain::{Chain, ChainError, ChainOptions, RepairError, exists, repair};
use kempe_runtime::executor::ExecutorError;
use kempe_runtime::state::StoreError;

use super::{Finding, blocks};
use crate::output::{Exit, Failure};
use crate::progress;
use crate::session::{NAMES_FILE, read_names, read_unchecked, write_names};

/// Repairs what is broken in a chain's directory: its store, and its file of names.
pub(super) fn run(dir: &Path, keep: Option<u64>) -> Vec<Finding> {
    if !exists(dir) {
        let message = format!("there is no chain in {}", dir.display());
        return vec![Finding::broken("repair", &Failure::new(Exit::Failed, message))];
    }
    let store = store(dir, keep);
    let is_open = store.status == "ok";
    let mut findings = vec![store];
    if is_open && read_names(&dir.join(NAMES_FILE)).is_err() {
        findings.push(match names(dir) {
            Ok(finding) => finding,
            Err(failure) => Finding::broken("repair", &failure),
        });
    }
    findings
}

fn store(dir: &Path, keep: Option<u64>) -> Finding {
    let check = || -> Result<u64, ChainError> {
        let chain = Chain::open(dir, ChainOptions::default())?;
        blocks(&chain)?;
        Ok(chain.head().height)
    };
    match (check(), keep) {
        (Ok(_), None) => return Finding::ok("repair", "the chain's store is whole"),
        (Ok(height), Some(_)) => {
            let message = format!("no block is lost, so none is cut off: the last is {height}");
            return Finding::broken("repair", &Failure::new(Exit::Failed, message));
        }
        // It is not known to be damaged.
        (
            Err(
                error @ (ChainError::Store(StoreError::Locked { .. } | StoreError::Machine { .. })
                | ChainError::Executor(
                    ExecutorError::Store(StoreError::Machine { .. }) | ExecutorError::Threads(_),
                )),
            ),
            _,
        ) => {
            return Finding::broken("repair", &error.into());
        }
        (Err(_), _) => {}
    }
    let bar = progress::bar(0, "blocks");
    let done = repair(dir, ChainOptions::default(), keep, |height| bar.set_position(height));
    bar.finish_and_clear();
    match done {
        Ok(repair) => {
            let (height, aside) = (repair.height, repair.set_aside.display());
            Finding::ok(
                "repair",
                format!("executed up to block {height} again; the damaged files are in {aside}"),
            )
        }
        Err(error) => Finding::broken("repair", &refused(error)),
    }
}

fn refused(error: RepairError) -> Failure {
    let help = match &error {
        RepairError::Block { height, .. } => {
            let last = height - 1;
            Some(format!(
                "nothing was changed: restore the file, or give up block {height} and all behind it \
                 with `kempe doctor --repair --truncate-to {last}`"
            ))
        }
        RepairError::Genesis { .. } => {
            Some("nothing was changed: restore the file from a copy".to_owned())
        }
        RepairError::Keep { last, .. } => Some(format!("`--truncate-to {last}`, if one is lost")),
        _ => None,
    };
    let failure = match error {
        RepairError::Chain(error) => error.into(),
        error => Failure::from(error),
    };
    match help {
        Some(help) => failure.with_help(help),
        None => failure,
    }
}

/// Takes a file of names that somebody has edited, if each is of a contract, and says them; sets any other one aside.
fn names(dir: &Path) -> Result<Finding, Failure> {
    let file = dir.join(NAMES_FILE);
    if let Ok((names, _)) = read_unchecked(&file) {
        let chain = Chain::open(dir, ChainOptions::default())?;
        for (name, address) in &names {
            if chain.contract(address)?.is_none() {
                let what = format!("`{name}` is {address}, where there is no contract");
                let help = format!("correct {}, and repair again", file.display());
                return Err(Failure::new(Exit::Failed, what).with_help(help));
            }
        }
        write_names(&file, &names)?;
        let said: Vec<String> =
            names.iter().map(|(name, address)| format!("{name} {address}")).collect();
        let what = format!("took the names in {}: {}", file.display(), said.join(", "));
        return Ok(Finding::warning("repair", what, "see that each is the contract that is meant"));
    }
    let aside = |n: u64| -> PathBuf { dir.join(format!("{NAMES_FILE}.damaged-{n}")) };
    let free = (1..).map(aside).find(|path| !path.exists()).unwrap_or_else(|| aside(0));
    fs::rename(&file, &free).with_context(|| format!("renaming {}", file.display()))?;
    let what = "the names of contracts cannot be recovered; what was there is in";
    let help = "what can be read there can be written into names.json again, for another --repair";
    Ok(Finding::warning("repair", format!("{what} {}", free.display()), help))
}
