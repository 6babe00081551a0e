//! The shipped token in Kempe: access lists, schedule and its check, execution in wasm, receipts,
//! and the sorted changes taken over by the state in memory, for all transfers as one block.

use std::time::Duration;

use anyhow::{Result, ensure};
use kempe_abi::Outcome;
use kempe_bench::{TokenWorld, TransferSpec, UnsignedBlock, run_block};
use kempe_runtime::executor::Executor;

use crate::{Peer, timed};

/// Kempe on one thread.
pub(crate) struct Kempe {
    world: TokenWorld,
    executor: Executor,
    block: UnsignedBlock,
}

impl Kempe {
    /// A world with the token, and a block of the transfers.
    pub(crate) fn new(n_accounts: usize, specs: &[TransferSpec]) -> Result<Self> {
        let world = TokenWorld::new(n_accounts)?;
        Ok(Self { executor: world.base.executor(1)?, block: world.block(specs), world })
    }
}

impl Peer for Kempe {
    fn name(&self) -> &'static str {
        "kempe, its token (wasm)"
    }

    fn round(&mut self) -> Result<Duration> {
        let (txs, state) = (self.block.txs(), self.world.base.state());
        timed(|| {
            let output = run_block(&mut self.executor, &txs, &state)?;
            let failed = output.receipts.iter().find(|receipt| receipt.outcome != Outcome::Ok);
            ensure!(failed.is_none(), "{failed:?}");
            self.world.base.settle(&output.changes);
            Ok(())
        })
    }

    fn balance(&mut self, account: usize) -> Result<u128> {
        Ok(self.world.balance(account)?)
    }
}
