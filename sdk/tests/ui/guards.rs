use kempe_sdk::prelude::*;

#[contract]
pub struct Shop {
    closed: Item<bool>,
    barred: Map<Address, bool>,
    level: Item<u8>,
    owner: Immutable<Address>,
}

#[contract]
impl Shop {
    #[access(unless(closed, barred[caller]), unless(level))]
    pub fn a(&mut self) {}

    #[access(unless(barred))]
    pub fn b(&mut self) {}

    #[access(unless(closed))]
    pub fn c(&mut self) -> bool {
        self.closed.at_start().unwrap_or_default()
    }

    #[access(unless(closed))]
    pub fn d(&mut self) -> bool {
        self.closed.get().unwrap_or_default()
    }

    #[access(unless(barred[_]))]
    pub fn e(&self) {}

    #[access(unless(barred[1u8]))]
    pub fn f(&self) {}

    #[access(unless(owner))]
    pub fn g(&self) {}

    #[access(unles(closed))]
    pub fn h(&self) {}

    #[access(unless(closed))]
    pub fn init(&mut self, owner: Address) {
        self.owner.set(owner);
    }
}

fn main() {}
