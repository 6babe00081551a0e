//! The ladder of conflict models: how much parallelism each permits on a block.

use kempe_abi::AccessKind::{Read, Write};
use kempe_runtime::scheduler::{Access, Accesses, Block, Form, Graph, Scheduler, Versions};
use serde::{Deserialize, Serialize};

use super::ratio;
use crate::Input;

/// A model of conflicts and what it permits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rung {
    /// The model.
    pub model: String,
    /// The block.
    pub workload: String,
    /// All work divided by the critical path: what no number of workers exceeds in the given order.
    pub parallelism: f64,
}

/// Work divided by critical path when every access locks, when readers share, when additions commute,
/// when each write is a version of its own, and when all values are known.
#[must_use]
pub fn ladder(input: &Input) -> Vec<Rung> {
    let work: u64 = input.costs().iter().sum();
    let rung = |model: &str, path: u64| Rung {
        model: model.to_owned(),
        workload: input.name().to_owned(),
        parallelism: ratio(work, path),
    };
    let with = |turned: fn(Access) -> Access| {
        let mut accesses = Accesses::with_capacity(input.n_txs(), input.accesses().n_accesses());
        for row in input.accesses().rows() {
            accesses.push_tx(row.iter().map(|&access| turned(access)));
        }
        let block = Block::new(&accesses, input.costs(), input.senders(), &[]);
        block.map_or(work, |block| path_of(&Graph, &block))
    };
    let block = input.block();
    let biggest = input.costs().iter().max().copied().unwrap_or(0);
    vec![
        rung("locks", with(|access| Access::new(access.slot, Write))),
        rung(
            "shared reads",
            with(|Access { slot, kind }| {
                Access::new(slot, if kind == Read { Read } else { Write })
            }),
        ),
        rung("commuting additions", path_of(&Graph, &block)),
        rung("versions", path_of(&Versions, &block)),
        rung("known values", biggest),
    ]
}

fn path_of(scheduler: &dyn Scheduler, block: &Block<'_>) -> u64 {
    match scheduler.plan(block, 1).form() {
        Form::Graph(dag) | Form::Versions(dag) => dag.critical_path(),
        _ => 0,
    }
}
