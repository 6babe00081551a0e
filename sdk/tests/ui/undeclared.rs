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
    #[access(write(balances[to]))]
    pub fn mint(&mut self, to: Address, amount: u64) {
        self.supply.add(amount);
        self.balances.put(to, amount);
    }
}

fn main() {}
