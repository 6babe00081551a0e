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
    #[access(read(owner), add(supply))]
    pub fn set(&mut self, to: Address) -> u64 {
        self.owner.put(to);
        self.supply.get()
    }
}

fn main() {}
