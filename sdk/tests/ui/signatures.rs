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
    pub fn a(self) {}

    pub fn b<T>(&self) {}

    pub fn c(&self, name: &str) {}

    #[access(read(owner))]
    fn d(&self) {}

    #[access(read(owner))]
    pub fn init(&mut self) {}

    pub fn e(&self, (a, b): (u64, u64)) {}
}

fn main() {}
