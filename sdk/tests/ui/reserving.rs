use kempe_sdk::prelude::*;

#[contract]
pub struct Sale {
    left: Stock<u64>,
    lots: Map<u8, Stock<u32>>,
    sold: Counter<u64>,
}

#[contract]
impl Sale {
    #[access(reserve(left))]
    pub fn a(&mut self) {}

    #[access(reserve(sold, 1u64), reserve(lots, 1u32))]
    pub fn b(&mut self) {}

    pub fn c(&mut self, n: u64) -> bool {
        self.left.reserve(n)
    }

    #[access(reserve(left, n))]
    pub fn d(&mut self, n: u64) -> u64 {
        self.left.add(n);
        self.left.get()
    }

    #[access(write(left))]
    pub fn e(&mut self, n: u64) -> bool {
        self.left.reserve(n)
    }

    #[access(reserve(left, n))]
    pub fn f(&self, n: u64) -> u64 {
        n
    }

    #[access(reserve(lots[lot], n, 1u32, 2u32))]
    pub fn g(&mut self, lot: u8, n: u32) -> bool {
        self.lots.reserve(lot, n)
    }

    #[access(reserve(left, 5u64, left))]
    pub fn keep(&mut self) -> bool {
        self.left.reserve(5)
    }
}

fn main() {}
