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
    pub fn pay(&mut self, to: Address) {
        self.first(to);
    }

    fn first(&mut self, to: Address) {
        Self::second(self, to);
    }

    fn second(&mut self, to: Address) {
        self.balances.put(to, 1);
        if false {
            self.first(to);
        }
    }
}

fn main() {}
