//! Two rounds: every transaction on the state before the block, then those again that could not count.
//!
//! The plan says who counts after the first round: nobody of them sees anything of another one. What
//! the others did in it is kept, and each is looked at again when those before it have ended. If all
//! that it read is still what the block started with, because declared writes did not happen, its
//! first run counts after all; else it runs again.
//!
//! Source: Y. Lu et al., "Aria: a fast and practical deterministic OLTP database", VLDB 2020. There a
//! round reserves what its transactions touched; here lists are known beforehand, so the reservation
//! is the plan's, and the second look takes back what was reserved for nothing.

use std::sync::Mutex;

use kempe_abi::AccessKind;

use super::BlockRun;
use super::unbarred::Step;
use super::versions::Versions;
use crate::engine::{Cell, Run, Worker};
use crate::scheduler::{Access, Dag};
use crate::state::StoreError;
use crate::sync::lock;
use crate::types::Footprints;

/// The first run of a transaction that may have to run again.
struct Early {
    run: Run,
    cells: Vec<Cell>,
    footprint: Vec<[u8; 32]>,
}

/// A block on its way through two rounds.
struct Rounds<'a> {
    run: &'a BlockRun<'a>,
    versions: &'a Versions<'a, 'a>,
    /// For each transaction, its first run while it is not known whether it counts; the lock is
    /// never contended.
    early: Vec<Mutex<Option<Early>>>,
    /// Whether a transaction counts after the first round.
    is_counted: Vec<bool>,
}

/// The first round.
struct First<'a>(&'a Rounds<'a>);

/// What is left after it.
struct Again<'a>(&'a Rounds<'a>);

impl BlockRun<'_> {
    /// Runs `body` on the state before the block, and those of `again` once more by their graph where
    /// what they read has changed. False if a step said so.
    pub(super) fn run_rounds(
        &self,
        versions: &Versions<'_, '_>,
        body: &[u32],
        again: &[u32],
        dag: &Dag,
    ) -> Result<bool, StoreError> {
        let n_txs = self.txs.len();
        let mut is_counted = vec![true; n_txs];
        again.iter().for_each(|&tx| is_counted[tx as usize] = false);
        let early = (0..n_txs).map(|_| Mutex::new(None)).collect();
        let rounds = Rounds { run: self, versions, early, is_counted };
        if !self.run_all(body, &First(&rounds))? {
            return Ok(false);
        }
        Ok(again.is_empty() || self.run_graph(again, dag, &Again(&rounds))?)
    }
}

impl Step for First<'_> {
    fn run(
        &self,
        worker: &mut Worker,
        tx: u32,
        footprints: &mut Footprints,
    ) -> Result<bool, StoreError> {
        let Self(rounds) = self;
        if rounds.is_counted[tx as usize] {
            return rounds.versions.run(worker, tx, footprints);
        }
        let at_start = |_, slot| rounds.versions.at_start(slot);
        let run = rounds.run.run_on(worker, tx, at_start)?;
        let early =
            Early { run, footprint: worker.footprint().collect(), cells: worker.take_cells() };
        *lock(&rounds.early[tx as usize]) = Some(early);
        // The second round overwrites it.
        footprints.push(std::iter::empty());
        Ok(true)
    }

    fn fetch_ahead(&self, rest: &[u32]) {
        self.0.versions.fetch_ahead(rest);
    }
}

impl Step for Again<'_> {
    fn run(
        &self,
        worker: &mut Worker,
        tx: u32,
        footprints: &mut Footprints,
    ) -> Result<bool, StoreError> {
        let Self(Rounds { run, versions, early, .. }) = self;
        let early = lock(&early[tx as usize]).take();
        let accesses = run.plan.interned().accesses().of(tx);
        let is_as_before = |(at, &Access { slot, kind }): (usize, &Access)| {
            kind == AccessKind::Add || versions.read(tx, at) == versions.at_start(slot)
        };
        match early {
            Some(mut early) if accesses.iter().enumerate().all(is_as_before) => {
                footprints.push(early.footprint.into_iter());
                versions.publish(tx, &mut early.cells);
                run.put_run(tx, early.run);
                Ok(versions.goes_on())
            }
            _ => versions.run(worker, tx, footprints),
        }
    }

    fn fetch_ahead(&self, rest: &[u32]) {
        self.0.versions.fetch_ahead(rest);
    }
}
