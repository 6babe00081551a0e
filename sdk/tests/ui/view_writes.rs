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
    #[access(write(owner))]
    pub fn set(&self, to: Address) {
        self.owner.put(to);
    }
}

fn main() {}
