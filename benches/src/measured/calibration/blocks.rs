//! The blocks on which overheads are found.

use fastrand::Rng;
use kempe_abi::AccessKind;

use super::{Block, N_KEYS, N_SUMS};
use crate::{Input, InputTx};

/// Transactions that write so many keys each.
pub(super) fn independent((n_txs, cost): Block, n_keys: u64) -> Input {
    let tx = |at: u64| InputTx {
        accesses: (0..n_keys).map(|key| (n_keys * at + key, AccessKind::Write, false)).collect(),
        cost,
        ..InputTx::default()
    };
    Input::new(format!("independent:{n_txs},{cost},{n_keys}"), (0..n_txs).map(tx).collect())
}

/// Transactions that write a few keys of their own, and read the same others: they name many.
pub(super) fn sharing((n_txs, cost): Block) -> Input {
    let tx = |at: u64| {
        let own =
            (0..N_KEYS[0]).map(|key| (N_KEYS[1] + N_KEYS[0] * at + key, AccessKind::Write, false));
        let shared = (N_KEYS[0]..N_KEYS[1]).map(|key| (key, AccessKind::Read, false));
        InputTx { accesses: own.chain(shared).collect(), cost, ..InputTx::default() }
    };
    Input::new("sharing".to_owned(), (0..n_txs).map(tx).collect())
}

/// Transactions that add to one of [`N_SUMS`] each, drawn for each: whether two that add to the same run at the same time does not depend on
/// how a plan divides them.
pub(super) fn adding((n_txs, cost): Block) -> Input {
    let mut rng = Rng::with_seed(0);
    let mut tx = |at: u64| {
        let own = (N_SUMS + at, AccessKind::Write, false);
        let sum = (rng.u64(..N_SUMS), AccessKind::Add, false);
        InputTx { accesses: vec![own, sum], cost, ..InputTx::default() }
    };
    Input::new("adding".to_owned(), (0..n_txs).map(&mut tx).collect())
}

/// Transactions that all write one key, and others of their own.
pub(super) fn chain((n_txs, cost): Block, n_keys: u64) -> Input {
    let tx = |at: u64| {
        let own = (1..n_keys).map(|key| (1 + n_keys * at + key, AccessKind::Write, false));
        let accesses = own.chain([(0, AccessKind::Write, false)]).collect();
        InputTx { accesses, cost, ..InputTx::default() }
    };
    Input::new(format!("chain:{n_keys}"), (0..n_txs).map(tx).collect())
}

/// Transactions that write two of so many keys each, drawn for each.
pub(super) fn moving((n_txs, cost): Block, n_keys: u64) -> Input {
    let mut rng = Rng::with_seed(0);
    let mut tx = |_: u64| {
        let keys = [rng.u64(..n_keys / 2), rng.u64(n_keys / 2..n_keys)];
        let accesses = keys.map(|key| (key, AccessKind::Write, false)).to_vec();
        InputTx { accesses, cost, ..InputTx::default() }
    };
    Input::new(format!("moving:{n_keys}"), (0..n_txs).map(&mut tx).collect())
}

/// Rungs of transactions: each writes a key of its own, and reads what two of the rung before wrote, of which one stands where it stands.
pub(super) fn ladder((n_txs, cost): Block, n_on_rung: u64) -> Input {
    let tx = |at: u64| {
        let (rung, place) = (at / n_on_rung, at % n_on_rung);
        let before = rung.checked_sub(1).into_iter().flat_map(|rung| {
            [place, (place + 1) % n_on_rung].map(|place| rung * n_on_rung + place)
        });
        let reads = before.map(|key| (key, AccessKind::Read, false));
        let accesses = reads.chain([(at, AccessKind::Write, false)]).collect();
        InputTx { accesses, cost, ..InputTx::default() }
    };
    Input::new(format!("ladder:{n_on_rung}"), (0..n_txs).map(tx).collect())
}
