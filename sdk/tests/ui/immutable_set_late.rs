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
    pub fn init(&mut self, fee: u64) {
        self.set_fee(fee);
    }

    pub fn raise(&mut self, by: u64) {
        self.set_fee(by);
    }

    fn set_fee(&mut self, value: u64) {
        self.fee.set(value);
    }
}

fn main() {}
