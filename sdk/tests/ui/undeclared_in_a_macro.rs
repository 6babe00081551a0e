use kempe_sdk::prelude::*;

#[contract]
pub struct Bank {
    owner: Item<Address>,
    supply: Counter<u64>,
    balances: Map<Address, u64>,
    fee: Immutable<u64>,
}

#[contract]
impl Bank {
    pub fn check(&self) -> Result<(), Revert> {
        ensure!(self.owner.get() == Some(caller()), revert(100));
        Ok(())
    }
}

fn main() {}
