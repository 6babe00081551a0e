//! A contract that touches the keys it is told to, so that recorded blocks run as wasm.
#![no_std]

extern crate alloc;

use alloc::vec::Vec;

use kempe_sdk::prelude::*;

/// A cell keeps no more than this when it is written, so that no block can add too much to it.
const WRITTEN_MAX: u64 = u32::MAX as u64;

/// Cells by the number of a recorded key.
#[contract]
#[derive(Debug)]
pub struct Replay {
    /// What was written, and what was added to it.
    cells: Map<u64, Counter<u64>>,
}

/// What the contract refuses with.
#[error]
pub enum ReplayError {
    /// The recorded transaction failed too.
    AsRecorded = 100,
}

/// How many of each list are touched: the first ones. The others are only declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub struct Touched {
    /// Of `reads`.
    pub reads: u32,
    /// Of `writes`.
    pub writes: u32,
    /// Of `blind`.
    pub blind: u32,
    /// Of `adds`.
    pub adds: u32,
}

#[contract]
impl Replay {
    /// Reads, burns time, and writes what follows from all that was read: another order of two
    /// transactions that conflict leaves another state.
    ///
    /// # Arguments
    /// - `reads`, `writes`, `blind`, `adds`: what is declared; what is in `blind` is written and not read.
    /// - `touched`: how much of it is touched.
    /// - `steps`: how many steps to burn, each a multiplication that waits for the one before.
    /// - `salt`: what makes the transaction another than the others.
    /// - `fails`: whether it ends with an error, after everything.
    ///
    /// # Errors
    /// [`ReplayError::AsRecorded`].
    #[access(
        each(reads, read(cells[element])),
        each(writes, write(cells[element])),
        each(blind, write(cells[element])),
        each(adds, add(cells[element]))
    )]
    #[expect(clippy::too_many_arguments, reason = "a list for each kind of access")]
    pub fn run(
        &mut self,
        reads: Vec<u64>,
        writes: Vec<u64>,
        blind: Vec<u64>,
        adds: Vec<u64>,
        touched: Touched,
        steps: u64,
        salt: u64,
        fails: bool,
    ) -> Result<(), ReplayError> {
        let (reads, writes) = (first(&reads, touched.reads), first(&writes, touched.writes));
        let mut mixed = reads
            .iter()
            .chain(writes)
            .fold(mix(salt), |mixed, &key| mix(mixed ^ self.cells.get(key)));
        for _ in 0..steps {
            mixed = mix(mixed);
        }
        for &key in writes.iter().chain(first(&blind, touched.blind)) {
            self.cells.put(key, mix(mixed ^ key) & WRITTEN_MAX);
        }
        for &key in first(&adds, touched.adds) {
            self.cells.add(key, 1 + mixed % 7);
        }
        ensure!(!fails, ReplayError::AsRecorded);
        Ok(())
    }
}

fn first(keys: &[u64], n: u32) -> &[u64] {
    let n = usize::try_from(n).map_or(keys.len(), |n| n.min(keys.len()));
    &keys[..n]
}

/// A step of a linear congruential generator, with its better half on top.
///
/// Source: Knuth, "The Art of Computer Programming", volume 2, section 3.3.4 (the MMIX generator).
fn mix(value: u64) -> u64 {
    let next = value.wrapping_mul(6_364_136_223_846_793_005);
    next.wrapping_add(1_442_695_040_888_963_407).rotate_left(32)
}
