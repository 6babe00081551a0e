use kempe_sdk::prelude::*;

#[contract]
pub struct Auction {
    best: Max<u64>,
    bids: Map<u8, Counter<u64>>,
    name: Item<u64>,
}

#[contract]
impl Auction {
    #[access(add(best))]
    pub fn a(&mut self) {
        self.best.raise(1);
    }

    #[access(max(bids[1u8]), max(name))]
    pub fn b(&mut self) {}

    pub fn c(&mut self) {
        self.best.raise(1);
    }

    #[access(max(best))]
    pub fn d(&mut self) {
        self.best.lower(1);
    }

    #[access(write(best))]
    pub fn e(&mut self) {
        self.best.raise(1);
    }

    #[access(max(best))]
    pub fn f(&mut self) -> u64 {
        self.best.raise(1);
        self.best.get()
    }
}

fn main() {}
