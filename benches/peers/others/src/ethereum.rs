//! An ERC-20 token in revm: see [`Erc20World`].

use std::time::Duration;

use anyhow::{Result, anyhow};
use kempe_bench::TransferSpec;
use kempe_peers::Erc20World;

use crate::{Peer, timed};

/// A token written by hand in EVM code, and calls of its `transfer`.
pub(crate) struct Revm {
    world: Erc20World,
    specs: Vec<TransferSpec>,
}

impl Revm {
    /// A token and its holders.
    pub(crate) fn new(n_accounts: usize, specs: &[TransferSpec]) -> Self {
        Self { world: Erc20World::new(n_accounts), specs: specs.to_vec() }
    }
}

impl Peer for Revm {
    fn name(&self) -> &'static str {
        "revm, ERC-20 (EVM)"
    }

    fn round(&mut self) -> Result<Duration> {
        let txs = self.world.txs(&self.specs);
        timed(|| Ok(self.world.run(txs)?))
    }

    fn balance(&mut self, account: usize) -> Result<u128> {
        let balance = self.world.balance(account);
        u128::try_from(balance).map_err(|_| anyhow!("{balance} is no balance"))
    }
}
