//! What guards a call: the cells that its method names with `unless`.

use kempe_abi::derive::{self, Guards};
use kempe_abi::{Address, TrapKind};

use super::Session;
use crate::engine::Contract;
use crate::types::StateKey;

impl Session {
    /// Stops the call whose frame was pushed if one of the cells that guard it was set before the block.
    ///
    /// Each costs what an entry of a list costs, as it reads the state as one does; finding them costs a
    /// call of the host for each step, and what is looked at a hash. Of that no more is done than the fuel that is left pays for.
    pub(crate) fn check_guards(&mut self, contract: usize, method: usize) -> Result<(), TrapKind> {
        if self.contracts[contract].code.admitted.methods[method].guards.is_empty() {
            return Ok(());
        }
        let contract = std::sync::Arc::clone(&self.contracts[contract]);
        let address = contract.address;
        let prices = self.prices;
        let paid = |price: u64| {
            let n = self.fuel.checked_div(price).unwrap_or(u64::MAX);
            usize::try_from(n).unwrap_or(usize::MAX)
        };
        let (n_steps, n_bytes) =
            (paid(prices.host_call), paid(prices.hash_block).saturating_mul(64));
        let (guards, found) = self.guards(&contract, method, (n_steps, n_bytes));
        let steps = (guards.steps as u64).saturating_mul(prices.host_call);
        let blocks = (guards.bytes as u64).div_ceil(64).saturating_mul(prices.hash_block);
        self.charge(steps.saturating_add(blocks))?;
        // Only now, because a caller may catch it and call again.
        found.map_err(|error| error.trap())?;
        for (field, key) in guards.cells {
            let value = self.at_start(field, &key)?;
            if Guards::stops(value.as_deref()) {
                self.guard = Some(StateKey::new(address, field, &key));
                return Err(TrapKind::Guarded);
            }
        }
        Ok(())
    }

    fn guards(
        &self,
        contract: &Contract,
        method: usize,
        most: (usize, usize),
    ) -> (Guards, Result<(), derive::DeriveError>) {
        let (abi, frame) = (contract.abi(), self.frame());
        let what = (abi, &abi.methods[method]);
        let clauses = &contract.code.admitted.methods[method].guards;
        derive::guards(contract, &frame.caller, &frame.address, what, clauses, &frame.args, most)
    }
}

impl derive::Contracts for Contract {
    fn abi(&self, contract: &Address) -> Option<&kempe_abi::Abi> {
        (*contract == self.address).then(|| Self::abi(self))
    }

    fn immutable(&self, contract: &Address, field: u8) -> Option<&[u8]> {
        (*contract == self.address).then(|| Self::immutable(self, field)).flatten()
    }
}
