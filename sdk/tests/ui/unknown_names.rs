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
    #[access(read(balnces[of]))]
    pub fn a(&self, of: Address) {}

    #[access(read(balances[off]))]
    pub fn b(&self, of: Address) -> u64 {
        self.balances.get(of)
    }

    #[access(read(balances[owner]))]
    pub fn c(&self) {}

    #[access(reads(owner))]
    pub fn d(&self) {}

    #[access(read(balances))]
    pub fn e(&self) {}

    #[access(read(owner[caller]))]
    pub fn f(&self) {}

    #[access(read(balances[element]))]
    pub fn g(&self) {}

    #[access(read(balances[_]))]
    pub fn h(&self) {}

    #[access(read(fee))]
    pub fn i(&self) {}

    #[access(read(balances[5]))]
    pub fn j(&self) {}

    #[access(write(balances[fee]))]
    pub fn k(&mut self, fee: Address) {}

    pub fn l(&self) -> u64 {
        self.balance.get(caller())
    }

    #[access(read(owner))]
    pub fn m(&self) -> Address {
        self.owner.load()
    }
}

fn main() {}
