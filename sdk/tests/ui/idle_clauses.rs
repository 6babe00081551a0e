#![deny(deprecated)]

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
    #[access(read(owner), write(balances[of]), write(supply))]
    pub fn balance(&mut self, of: Address) -> u64 {
        self.supply.add(1);
        self.balances.get(of)
    }
}

fn main() {}
