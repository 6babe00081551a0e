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
    pub fn a(&mut self) {
        let balances = &mut self.balances;
        balances.put(caller(), 1);
    }

    pub fn b(&mut self) {
        elsewhere(self);
    }

    pub fn c(&mut self) {
        let me = self;
        me.a();
    }

    pub fn d(&mut self) {
        self.missing();
    }
}

fn elsewhere(_bank: &mut Bank) {}

fn main() {}
